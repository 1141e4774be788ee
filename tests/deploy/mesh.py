"""A Gateway's Envoy before the sidecars' Envoy before real servers, all as the chart's objects say, and their callers."""

import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from model.grpc import open_inference_pb2 as pb
from tests.certificates import Authority
from tests.deploy import istio, istio_routes
from tests.deploy.envoy import Envoy
from tests.deploy.istio_parts import Identity, Object
from tests.servers import ServerProcess

SERVICE: Final = "/inference.GRPCInferenceService"
DOMAIN: Final = "ml.models.example.com"
IRIS: Final = f"iris-{DOMAIN}"
CHURN: Final = f"churn-{DOMAIN}"


class Issuer:
    """
    Issues tokens.

    Parameters
    ----------
    name : str
        As ``iss`` says it.
    """

    def __init__(self, name: str = "https://login.example.com") -> None:
        self.name = name
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def keys(self) -> str:
        """The public key as a JSON Web Key Set."""
        return f'{{"keys": [{RSAAlgorithm.to_jwk(self._key.public_key())}]}}'

    def token(self, **claims: Any) -> str:
        """Return a token that is good for a minute unless the claims say otherwise; None leaves one out."""
        usual = {"iss": self.name, "sub": "alice", "aud": "models.example.com", "exp": int(time.time()) + 60}
        return jwt.encode({k: v for k, v in (usual | claims).items() if v is not None}, self._key, algorithm="RS256")


class Mesh:
    """
    What the chart has rendered, with a Gateway and pods that run.

    Parameters
    ----------
    directory : Path
        For the files of its proxies.
    rendered : sequence of dict
        The chart's objects.
    servers : mapping
        The server of each InferenceService.
    normalization : str
        How the mesh writes paths.
    """

    def __init__(
        self,
        directory: Path,
        rendered: Sequence[Object],
        servers: Mapping[str, ServerProcess],
        *,
        normalization: str = "DECODE_AND_MERGE_SLASHES",
    ) -> None:
        self._directory = directory
        self._objects = rendered
        self._normalization = normalization
        self._servers = servers
        self._services = [each for each in rendered if each["kind"] == "InferenceService"]
        (parent,) = next(each for each in rendered if each["kind"] == "HTTPRoute")["spec"]["parentRefs"]
        self._workload = istio.gateway(**parent)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        authority = Authority("mesh")
        self._directory.mkdir(parents=True)
        authority.write(self._directory / "authority.pem")
        certificate, key = self._directory / "certificate.pem", self._directory / "key.pem"
        authority.issue(certificate, key)
        self.identity = Identity(certificate, key, self._directory / "authority.pem")
        with self._stack:
            if any(self._closed(each) for each in self._services):
                self.pods = self._stack.enter_context(self._pods())
            self.gateway = self._stack.enter_context(self._gateway())
            self.port = self.gateway.port("http")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def route(self, rendered: Sequence[Object]) -> None:
        """Give the Gateway other routes, while it runs."""
        self.gateway.route("http.80", istio_routes.routes("http.80", rendered))

    @staticmethod
    def _closed(service: Object) -> bool:
        """Whether there is a sidecar in the service's pods."""
        return bool(service["spec"]["predictor"]["labels"].get("sidecar.istio.io/inject") == "true")

    def _pods(self) -> Envoy:
        listeners, clusters = [], []
        for service in self._services:
            for port, described in istio.ports(service).items():
                name = f"{service['metadata']['name']}:{port}"
                clusters.append(
                    istio_routes.cluster(name, self._server(service, port), http2="grpc" in described["name"])
                )
                listeners.append(
                    istio.listener(
                        istio.sidecar(service),
                        self._objects,
                        istio_routes.inbound(name),
                        name=name,
                        normalization=self._normalization,
                        identity=self.identity,
                    )
                )
        return Envoy(self._directory / "pods", listeners, clusters)

    def _gateway(self) -> Envoy:
        directory = self._directory / "gateway"
        clusters = []
        for service in self._services:
            closed, name = self._closed(service), service["metadata"]["name"]
            for port, described in istio.ports(service).items():
                to = self.pods.port(f"{name}:{port}") if closed else self._server(service, port)
                identity = self.identity if closed else None
                full = istio_routes.cluster_name(f"{name}-predictor", service["metadata"]["namespace"], port)
                clusters.append(istio_routes.cluster(full, to, http2="grpc" in described["name"], identity=identity))
        routes = Envoy.routed(directory, "http.80")
        listener = istio.listener(self._workload, self._objects, routes, normalization=self._normalization)
        return Envoy(directory, [listener], clusters, {"http.80": istio_routes.routes("http.80", self._objects)})

    def _server(self, service: Object, port: int) -> int:
        server = self._servers[service["metadata"]["name"]]
        return server.http_port if port == 80 else server.grpc_port


@dataclass
class Caller:
    """
    A client of a proxy, over REST and gRPC.

    Parameters
    ----------
    port : int
    token : str, optional
    host : str
        That it asks for.
    http2 : bool
        Whether REST goes over HTTP/2.
    headers : mapping
        Sent besides.
    identity : Identity, optional
        Of a caller inside the mesh.
    """

    port: int
    token: str | None = None
    host: str = IRIS
    http2: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None

    def __enter__(self) -> Self:
        address = f"127.0.0.1:{self.port}"
        if self.identity is None:
            # No certificates are read that nothing asks for: it takes longer than the requests.
            self._base, trust = f"http://{address}", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._channel = grpc.insecure_channel(address, [("grpc.default_authority", self.host)])
        else:
            mine = self.identity
            self._base, trust = f"https://{address}", ssl.create_default_context(cafile=mine.authority)
            trust.load_cert_chain(mine.certificate, mine.key)
            files = (each.read_bytes() for each in (mine.authority, mine.key, mine.certificate))
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(*files))
        self._rest = httpx.Client(verify=trust, http1=not self.http2, http2=self.http2, timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest.close()
        self._channel.close()

    def rest(self, path: str, method: str = "POST", body: Any = None) -> httpx.Response:
        """Ask for a path as it is written here; of a client's own tidying nothing is left."""
        credentials = {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        return self._rest.request(
            method,
            self._base,
            json=body,
            headers={"host": self.host, **self.headers, **credentials},
            extensions={"target": path.encode()},
        )

    def infer(self, model: str = "iris") -> int:
        """Return the HTTP status of a prediction, or the class that it names, by which the server is told."""
        response = self.rest(f"/v2/models/{model}/infer", body=BODY)
        return response.json()["outputs"][0]["data"][0] if response.is_success else response.status_code

    def call(self, method: str = f"{SERVICE}/ModelInfer", request: Any = None, model: str = "iris") -> Any:
        """Return the status code of a gRPC call, or the class that a prediction names."""
        wanted = pb.ModelInferRequest(model_name=model, inputs=[TENSOR]) if request is None else request
        stub: grpc.UnaryUnaryMultiCallable[Any, pb.ModelInferResponse] = self._channel.unary_unary(
            method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.ModelInferResponse.FromString,
        )
        credentials = () if self.token is None else (("authorization", f"Bearer {self.token}"),)
        try:
            answer = stub(wanted, timeout=30, metadata=(*self.headers.items(), *credentials))
        except grpc.RpcError as error:
            return error.code()
        return answer.outputs[0].contents.int64_contents[0] if request is None else grpc.StatusCode.OK


BODY: Final = {"inputs": [{"name": "input-0", "shape": [1, 2], "datatype": "FP64", "data": [0.5, 1.5]}]}
TENSOR: Final = pb.ModelInferRequest.InferInputTensor(
    name="input-0", shape=[1, 2], datatype="FP64", contents=pb.InferTensorContents(fp64_contents=[0.5, 1.5])
)
