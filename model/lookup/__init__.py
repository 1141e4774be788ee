"""
Look-ups: columns that a pipeline joins while it answers, from a table in SQL or Redis, by a key that the request brings.

::

    transformer   the step of a pipeline, which is published: what is joined, and neither an address nor a secret
    client        one process' way to the table: what it knows, how long it waits, and the answer when there is none
    sources       which source, and the address that the environment has for it
    sql, redis    the sources themselves
    cache         rows by key, fresh and stale
    breaker       leaves a source alone that does not answer
    recall        what a source has said, so that golden rows are answered alike for ever, and without it
    found         the look-ups of an estimator, noticed as it is unpickled
    values        what a source says, in the types that were declared

Nothing here is imported but ``recall`` and ``found`` where a model has no look-up, and no driver before it is needed.
"""
