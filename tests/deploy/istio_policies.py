"""RequestAuthentication and AuthorizationPolicy as filters of Envoy: tokens by jwt_authn, rules by RBAC on what it found."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tests.deploy.istio_parts import Config, Object, named, nothing, only

JWT: Final = "envoy.filters.http.jwt_authn"
RBAC: Final = "envoy.filters.http.rbac"


def filters(mine: Sequence[Object]) -> Iterator[Config]:
    """Yield the filters in istiod's order: tokens, what is denied, what is allowed."""
    if tokens := [
        rule for each in mine if each["kind"] == "RequestAuthentication" for rule in _jwt_rules(**each["spec"])
    ]:
        yield named(JWT, "jwt_authn.v3.JwtAuthentication", _authentication(tokens))
    policies = [each for each in mine if each["kind"] == "AuthorizationPolicy"]
    for action in ("DENY", "ALLOW"):
        if chosen := [each for each in policies if each["spec"]["action"] == action]:
            rules = {
                f"ns[{each['metadata']['namespace']}]-policy[{each['metadata']['name']}]-rule[{index}]": rule
                for each in chosen
                for index, rule in enumerate(_policy(**each["spec"]))
            }
            yield named(RBAC, "rbac.v3.RBAC", {"rules": {"action": action, "policies": rules}})


# --- RequestAuthentication


def _jwt_rules(*, jwtRules: list[Object], targetRefs: Any = None, selector: Any = None) -> list[Config]:
    return [_provider(**rule) for rule in jwtRules]


def _provider(*, issuer: str, jwks: str, forwardOriginalToken: bool, audiences: Sequence[str] = ()) -> Config:
    return {
        "issuer": issuer,
        "audiences": [*audiences],
        "forward": forwardOriginalToken,
        "payload_in_metadata": "payload",
        "normalize_payload_in_metadata": {"space_delimited_claims": ["permission", "scope"]},
        "local_jwks": {"inline_string": jwks},
    }


def _authentication(providers: Sequence[Config]) -> Config:
    """A bad token is refused, none is not: that is for the policies."""
    (provider,) = providers
    required = {"requires_any": {"requirements": [{"provider_name": "origins-0"}, {"allow_missing": {}}]}}
    return {
        "providers": {"origins-0": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": required}],
        "bypass_cors_preflight": True,
    }


# --- AuthorizationPolicy


def _policy(
    *, action: str, rules: Sequence[Object] = (), targetRefs: Any = None, selector: Any = None
) -> Iterator[Config]:
    """Yield Envoy's policies; one without rules never matches."""
    if not rules:
        yield {"permissions": [{"not_rule": {"any": True}}], "principals": [{"not_id": {"any": True}}]}
    for rule in rules:
        yield _rule(**rule)


def _rule(*, to: Sequence[Object] = (), when: Sequence[Object] = (), **rest: Sequence[Object]) -> Config:
    sources = rest.pop("from", ())
    nothing(rest)
    claims = [{"metadata": _claim(**each)} for each in when]
    permissions = [_and("rules", list(_operation(**only(each, "operation")))) for each in to] or [_and("rules", [])]
    principals = [_and("ids", [_source(**only(each, "source")), *claims]) for each in sources] or [_and("ids", claims)]
    return {"permissions": permissions, "principals": principals}


def _and(what: str, items: list[Config]) -> Config:
    return {f"and_{what}": {what: items or [{"any": True}]}}


def _or(what: str, items: list[Config]) -> Config:
    return {f"or_{what}": {what: items}}


def _operation(
    *, hosts: Sequence[str] = (), methods: Sequence[str] = (), paths: Sequence[str] = ()
) -> Iterator[Config]:
    if hosts:
        yield _or("rules", [{"header": _header(":authority", each, ignore_case=True)} for each in hosts])
    if methods:
        yield _or("rules", [{"header": _header(":method", each)} for each in methods])
    if paths:
        yield _or("rules", [{"url_path": {"path": _text(each)}} for each in paths])


def _header(name: str, pattern: str, *, ignore_case: bool = False) -> Config:
    if pattern == "*":
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": {**_text(pattern), "ignore_case": ignore_case}}


def _text(pattern: str) -> Config:
    """Return a matcher of the whole text, or of its beginning or end where there is a star."""
    if "{" in pattern:
        raise TypeError(f"a template, which the translation does not know: {pattern}")
    if pattern == "*":
        return {"safe_regex": {"regex": ".+"}}
    if pattern.startswith("*"):
        return {"suffix": pattern[1:]}
    if pattern.endswith("*"):
        return {"prefix": pattern[:-1]}
    return {"exact": pattern}


def _source(*, requestPrincipals: Sequence[str]) -> Config:
    """Return the principals `issuer/subject`, whose subject is behind the last slash."""
    (principal,) = requestPrincipals
    issuer, _, subject = principal.rpartition("/")
    parts = {"iss": _text(issuer), "sub": _text(subject)}
    return _and("ids", [{"metadata": _payload(name, {"string_match": text})} for name, text in parts.items()])


def _claim(*, key: str, values: Sequence[str]) -> Config:
    name = key.removeprefix("request.auth.claims[").removesuffix("]")
    if f"request.auth.claims[{name}]" != key or {"[", "]"} & {*name}:
        raise TypeError(f"a condition that the translation does not know: {key}")
    texts = [{"string_match": _text(each)} for each in values]
    value = texts[0] if len(texts) == 1 else {"or_match": {"value_matchers": texts}}
    return _payload(name, {"or_match": {"value_matchers": [{"list_match": {"one_of": value}}, value]}})


def _payload(claim: str, value: Config) -> Config:
    return {"filter": JWT, "path": [{"key": "payload"}, {"key": claim}], "value": value}
