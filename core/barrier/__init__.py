"""Nothing readable below this line: seals keys and values.

Owns the keys of the barrier and the form of what they seal. Must not know what is stored, nor
how it is replicated.
"""
