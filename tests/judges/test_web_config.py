"""The web config file, judged by promtool, and the pages it guards, by Python's own TLS and HTTP."""

import base64
import datetime
import ipaddress
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from exporter import ROOT, environment, eventually, free_port, promtool, run

SAMPLE = ROOT / "config" / "web.yml"
CERTIFICATE = "tls_server_config: {cert_file: cert.pem, key_file: key.pem"
# Of "open sesame", made by libxcrypt.
HASH = "$2b$04$VxrOUILxZf06K..h/wdkfOHvLE4KrRRq4/8w4shnjaYwrmDr.alI."

# What promtool and the exporter take alike; promtool of Debian 12 knows neither inline certificates nor rate limits.
GOOD = {
    "empty": "",
    "nothing": "tls_server_config:\nbasic_auth_users:\n",
    "tls": CERTIFICATE + "}\n",
    "versions": CERTIFICATE + ", min_version: TLS12, max_version: TLS13}\n",
    "old versions": CERTIFICATE + ", min_version: TLS10}\n",
    "clients": CERTIFICATE + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}\n",
    "any client": CERTIFICATE + ", client_auth_type: RequireAnyClientCert}\n",
    "suites": CERTIFICATE + ", cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]}\n",
    "old suites": CERTIFICATE + ", cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_AES_128_GCM_SHA256]}\n",
    "curves": CERTIFICATE + ", curve_preferences: [X25519, CurveP256, CurveP384, CurveP521]}\n",
    "order": CERTIFICATE + ", prefer_server_cipher_suites: false}\n",
    "http2": "http_server_config: {http2: false}\n",
    "headers": "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n"
    "    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: '1'\n"
    "    Strict-Transport-Security: max-age=1\n",
    "users": f"basic_auth_users: {{alice: {HASH}, bob: {HASH.replace('$2b$', '$2y$')}}}\n",
}
BAD = {
    "unknown key": "tls_server_confg: {}\n",
    "unknown key within": CERTIFICATE + ", certificate: x}\n",
    "no certificate": "tls_server_config: {key_file: key.pem}\n",
    "no key": "tls_server_config: {cert_file: cert.pem}\n",
    "certificate not there": "tls_server_config: {cert_file: none.pem, key_file: key.pem}\n",
    "key not there": "tls_server_config: {cert_file: cert.pem, key_file: none.pem}\n",
    "key is a certificate": "tls_server_config: {cert_file: cert.pem, key_file: cert.pem}\n",
    "key of another": "tls_server_config: {cert_file: cert.pem, key_file: other-key.pem}\n",
    "authority not there": CERTIFICATE + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: none.pem}\n",
    "authority for nothing": CERTIFICATE + ", client_ca_file: ca.pem}\n",
    "policy": CERTIFICATE + ", client_auth_type: VerifyAll}\n",
    "version": CERTIFICATE + ", min_version: TLS14}\n",
    "suite": CERTIFICATE + ", cipher_suites: [TLS_MADE_UP]}\n",
    "curve": CERTIFICATE + ", curve_preferences: [CurveP999]}\n",
    "header": "http_server_config: {headers: {Server: mine}}\n",
    "header value": "http_server_config: {headers: {X-Frame-Options: DENY}}\n",
    "header empty": "http_server_config: {headers: {X-Content-Type-Options: ''}}\n",
    "plain password": "basic_auth_users: {alice: open-sesame}\n",
    "no password": "basic_auth_users: {alice: }\n",
    "no map": "basic_auth_users: [alice]\n",
    "twice": f"basic_auth_users:\n  alice: {HASH}\n  alice: {HASH}\n",
    "no YAML": "basic_auth_users: {\n",
}


def sign(key, name, issuer, issuer_key, *extensions):
    """A certificate for an hour."""
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    hour = datetime.timedelta(hours=1)
    builder = builder.not_valid_before(now - hour).not_valid_after(now + hour)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def pem(key):
    """A private key as the files have it."""
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An authority, a certificate it signed for this machine, and a key that belongs to neither."""
    folder = tmp_path_factory.mktemp("web")
    authority, key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    is_authority = x509.BasicConstraints(ca=True, path_length=None)
    (folder / "ca.pem").write_bytes(sign(authority, "authority", "authority", authority, is_authority))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    (folder / "cert.pem").write_bytes(sign(key, "exporter", "authority", authority, names))
    (folder / "key.pem").write_bytes(pem(key))
    (folder / "other-key.pem").write_bytes(pem(other))
    return folder


class Serving:
    """An exporter that asks nothing of any cloud, with a web config."""

    def __init__(self, binary, folder, web_config):
        self.address = f"127.0.0.1:{free_port()}"
        config = folder / "config.yaml"
        config.write_text(
            "aliyun: [{account: a, region: cn-hangzhou, endpoint: 'http://127.0.0.1:1', targets: [{task: T-x}],"
            " credentials: {access_key_id: {env: HOME}, access_key_secret: {env: HOME}}}]\n"
        )
        self._log = (folder / "stderr").open("w")
        self.process = subprocess.Popen(
            [str(binary), f"--config.file={config}", f"--web.config.file={web_config}",
             f"--web.listen-address={self.address}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log, env=environment(),
        )

    def __enter__(self):
        try:
            eventually("it serves", lambda: '"serving"' in self.log() or "msg=serving" in self.log() or self._ended(), 30)
            assert not self._ended(), self.log()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._log.close()

    def _ended(self):
        return self.process.poll() is not None

    def log(self):
        return open(self._log.name).read()

    def get(self, path, context, user=None):
        """The status and the body of a page over TLS."""
        request = urllib.request.Request(f"https://{self.address}{path}")
        if user:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(user).encode()).decode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()


@pytest.mark.parametrize("name", GOOD)
def test_promtool_takes_what_the_exporter_takes(binary, folder, name):
    path = folder / "good.yml"
    path.write_text(GOOD[name])
    code, said = promtool("check", "web-config", str(path))
    assert code == 0, said
    with Serving(binary, folder, path) as serving:
        assert "level=ERROR" not in serving.log()


@pytest.mark.parametrize("name", BAD)
def test_promtool_refuses_what_the_exporter_refuses(binary, folder, name):
    path = folder / "bad.yml"
    path.write_text(BAD[name])
    code, said = promtool("check", "web-config", str(path))
    assert code != 0, said
    refused = run(binary, "demo", f"--web.config.file={path}")
    assert refused.returncode == 64, refused.stderr
    assert f"{path}:" in refused.stderr
    assert "open-sesame" not in refused.stderr


def test_the_sample_is_good(binary, tmp_path, folder):
    for name in ("cert.pem", "key.pem", "ca.pem"):
        shutil.copy(folder / name, tmp_path / name)
    path = tmp_path / "web.yml"
    shutil.copy(SAMPLE, path)
    code, said = promtool("check", "web-config", str(path))
    assert code == 0, said
    with Serving(binary, tmp_path, path) as serving:
        assert serving.get("/-/healthy", ssl.create_default_context(cafile=folder / "ca.pem"))[0] == 200


def test_a_scrape_over_tls_with_a_password(binary, folder):
    path = folder / "web.yml"
    path.write_text(
        GOOD["tls"] + f"basic_auth_users: {{prometheus: {HASH}}}\n"
        "http_server_config: {headers: {Strict-Transport-Security: max-age=31536000}}\n"
    )
    trusting = ssl.create_default_context(cafile=folder / "ca.pem")
    with Serving(binary, folder, path) as serving:
        status, headers, text = serving.get("/metrics", trusting, ("prometheus", "open sesame"))
        assert status == 200 and "cloud_task_exporter_build_info" in text
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        for user in (None, ("prometheus", "open"), ("alice", "open sesame")):
            status, headers, _ = serving.get("/metrics", trusting, user)
            assert status == 401 and headers["WWW-Authenticate"].startswith("Basic realm=")
        assert serving.get("/-/healthy", trusting)[0] == 200
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            serving.get("/metrics", ssl.create_default_context())
        old = ssl.create_default_context(cafile=folder / "ca.pem")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert serving.get("/-/healthy", old)[0] == 200
