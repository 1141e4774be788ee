"""
The REST front-end: HTTP/1.1 by httptools and uvloop.

::

    server           socket, connections, graceful stop
    acceptor         connections taken one at a time
    protocol         HTTP/1.1 as it comes over one connection, read strictly and within its time
    head             what a request's head has to be beside that
    exchange         the requests of a connection that are in hand, and how it ends
    app              route, key, handler, error -> status
    routes           the table of routes; matching, 405s and the OpenAPI document follow from it
    request          one request as handlers see it: headers, id, key, body
    deadline         when its answer is no longer wanted
    upload           the body as it comes
    body             the same within its limit, decompressed as a stream
    answer           what a handler returns, and what goes over the connection; errors as answers
    v2, v1, rows, repository, pages    the handlers
    openapi          the OpenAPI document, kept until the models change
    operations       one route's part of it
    schemas          JSON schemas of what is the same for every model
    model_schemas    JSON schemas and examples of what one model takes
    network_schemas  the same for an ONNX network
    static           the page that shows the document
"""
