"""Ordered keys and values as opaque bytes: what is applied, what is pending, what is durable.

Owns the layers of the store and the layout of keys. Must not know what a key or value means,
nor that either is sealed.
"""
