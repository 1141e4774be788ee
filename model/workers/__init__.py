"""
Several processes as one server: a supervisor that holds the sockets, and the workers that answer.

The supervisor imports neither NumPy nor gRPC and runs no model. It starts each worker as the same program anew, for
OpenMP and gRPC do not survive a fork, and talks with it over a pair of sockets.
"""
