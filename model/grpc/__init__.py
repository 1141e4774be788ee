"""
The gRPC front-end of the Open Inference Protocol.

::

    server       options, port, start and graceful stop
    servicer     one method per RPC: message -> data plane -> message
    health       grpc.health.v1, computed from the data plane
    rpc          what every RPC shares: parsing, request id, credentials, deadline, error -> status
    codec        inference messages <-> tensors
    contents     the typed values of a tensor that is not raw
    parameters   parameters <-> dict

Within this package ``import grpc`` is the library.
"""
