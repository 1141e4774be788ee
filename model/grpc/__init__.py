"""
The gRPC front-end of the Open Inference Protocol.

::

    server       port, start and graceful stop
    servicer     one method per RPC of inference: message -> data plane -> message
    health       grpc.health.v1, computed from the data plane
    reflection   what is served, for tools
    rpc          what RPCs of one message and one answer share: credentials, parsing
    connection   a client's connection: HTTP/2 by nghttp2, and its calls
    stream       one call: its messages, its deadline, its end
    messages     messages within a stream, and their compression
    status       error -> status and trailers
    codec        inference messages <-> tensors
    contents     the typed values of a tensor that is not raw
    parameters   parameters <-> dict
"""
