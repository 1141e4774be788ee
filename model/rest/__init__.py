"""
The REST front-end: raw ASGI on uvicorn, httptools and uvloop.

::

    server           socket, connections, graceful stop
    acceptor         connections taken one at a time
    protocol         HTTP/1.1 as it comes over one connection, read strictly and within its time
    head             what a request's head has to be beside that
    exchange         the requests of a connection that are in hand, and how it ends
    cycle            one request and its answer on a connection
    app              ASGI application: route, key, handler, error -> status
    routes           the table of routes; matching, 405s and the OpenAPI document follow from it
    request          headers, request id, key, body of one request
    deadline         when its answer is no longer wanted
    body             the body within its limit, decompressed as a stream
    answer           what a handler returns; errors as answers
    v2, v1, rows, repository, pages    the handlers
    openapi          the OpenAPI document, kept until the models change
    operations       one route's part of it
    schemas          JSON schemas of what is the same for every model
    model_schemas    JSON schemas and examples of what one model takes
    network_schemas  the same for an ONNX network
    static           the page that shows the document
"""
