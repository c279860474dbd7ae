"""From a request to an outcome: routes, tokens, policies, mounts, system paths, audit records.

Owns everything that an API client can see. Must not know consensus, disks or transports: it is
handed a request, a transaction and the time, and returns a response and what to write.
"""
