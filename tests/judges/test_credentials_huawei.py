"""Huawei Cloud's SDK finds the keys that the exporter finds, in the same files, variables and services."""

import hashlib
import json
import os
import subprocess

import pytest
from exporter import environment, eventually, free_port
from huaweicloudsdkcce.v3 import CceClient, ShowJobRequest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkcore.auth.provider import (
    CredentialProviderChain,
    MetadataCredentialProvider,
    OidcStsCredentialProvider,
    PodIdentityCredentialProvider,
)
from huaweicloudsdkcore.exceptions.exceptions import SdkException, ServiceResponseException
from huaweicloudsdksts.v1 import AssumeAgencyReqBody, AssumeAgencyRequest, StsClient
from vendor import Handler, serving

PROJECT = "0123456789abcdef0123456789abcdef"
JOB = "354331b2c-229a-11e8-9c75-0255ac100ceb"
PREFIXES = ("HUAWEICLOUD_", "HC_CONTAINER_")


def keys(name, names=("access", "secret", "securitytoken", "expires_at")):
    values = (f"AK-{name}", f"secret-of-{name}", f"token-of-{name}", "2099-01-01T00:00:00.000000Z")
    return dict(zip(names, values))


def digest(*said):
    """Differs where what was said differs: keys named by it are the same only if both sides asked alike."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


class Vendor(Handler):
    """Whatever gives keys, and CCE, which notes who asks."""

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        said = json.loads(body) if body else {}
        authorization = self.headers.get("authorization", "")
        signer = authorization.partition("Access=")[2].partition(",")[0]
        if "/jobs/" in self.path:
            self.server.shown.append((signer, self.headers.get("x-security-token"), self.path.split("/")[4]))
            self.answer({"kind": "Job", "metadata": {"uid": JOB}, "status": {"phase": "Running"}})
        elif (self.command, self.path) == ("PUT", "/meta-data/latest/api/token"):
            self.answer("metadata-token" + digest(self.headers["x-metadata-token-ttl-seconds"]))
        elif self.path == "/openstack/latest/securitykey":
            self.answer({"credential": keys("ecs-" + self.headers.get("x-metadata-token", "none"))})
        elif self.path == "/v3.0/OS-AUTH/id-token/tokens":
            token = "unscoped-" + digest(self.headers["x-idp-id"], said)
            self.answer({"token": {}}, 201, X_Subject_Token=token)
        elif self.path == "/v3.0/OS-CREDENTIAL/securitytokens":
            self.answer({"credential": keys("idp-" + digest(said))}, 201)
        elif self.path == "/v5/agencies/assume-with-oidc":
            names = ("access_key_id", "secret_access_key", "security_token", "expiration")
            self.answer({"credentials": keys("oidc-" + digest(said), names), "assumed_agency": {"id": "a"}})
        elif self.path == "/pod/credentials?who=me":
            names = ("accessKeyId", "secretAccessKey", "securityToken", "expiration")
            self.answer(keys("pod-" + digest(authorization, said), names))
        else:
            self.answer({}, 404)

    do_GET = do_POST = do_PUT = serve


@pytest.fixture
def vendor():
    with serving(Vendor) as server:
        server.shown = []
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with the vendor's file and tokens, in an environment without any of the vendor's variables."""
    for name in [name for name in os.environ if name.startswith(PREFIXES)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".huaweicloud").mkdir()
    (tmp_path / "token").write_text("identity-token\n")
    (tmp_path / "pod-token").write_text("pod-token\n")
    return tmp_path


def show_job(credentials, address):
    """The SDK asks for a job."""
    if credentials.project_id is None:
        credentials.project_id = PROJECT
    client = CceClient.new_builder().with_credentials(credentials).with_endpoint(address).build()
    return client.show_job(ShowJobRequest(job_id=JOB))


def of_sdk(vendor, credentials):
    """What the SDK shows to CCE: access key, security token and project."""
    vendor.shown.clear()
    show_job(credentials, vendor.address)
    return vendor.shown[-1]


def of_exporter(binary, home, vendor, credentials=None, **account):
    """What the exporter shows to CCE."""
    default = {"source": "default", "metadata_endpoint": vendor.address}
    account = {"account": "cce", "region": "cn-north-4", "endpoint": vendor.address, **account,
               "credentials": credentials or default, "targets": [{"job": JOB}]}
    config = home / "config.yaml"
    config.write_text(json.dumps({"poll": {"interval": "1s"}, "huawei": [account]}))
    vendor.shown.clear()
    command = [str(binary), "serve", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{free_port()}"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
    try:
        eventually("a request of the exporter", lambda: vendor.shown, every=0.05)
    finally:
        process.terminate()
        process.wait(timeout=15)
    return vendor.shown[0]


PROFILES = {
    "plain": f"[basic]\nak = AKPROFILE\nsk = SKPROFILE\nproject_id = {PROJECT}\n",
    "temporary": f"[global]\nak = other\nsk = other\n[basic]\nak=A\nsk=S\nsecurity_token = a+b/c==\nproject_id={PROJECT}\n",
    "as Python writes it": f"; mine\n[DEFAULT]\nproject_id: {PROJECT}\n[basic]\nAK: A%%K\nSk = b=c:d\n  # no\n",
    "identity provider first":
        f"[basic]\nak = A\nsk = S\nidp_id = my-idp\nid_token_file = TOKEN\nproject_id = {PROJECT}\niam_endpoint = VENDOR\n",
    "half an identity provider": f"[basic]\nak = A\nsk = S\nidp_id = my-idp\nproject_id = {PROJECT}\n",
}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_profile_is_read_alike(binary, home, vendor, monkeypatch, profile, elsewhere):
    path = home / ("my-file" if elsewhere else ".huaweicloud/credentials")
    text = PROFILES[profile].replace("TOKEN", str(home / "token")).replace("VENDOR", vendor.address)
    path.write_text(text)
    if elsewhere:
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path))
    expected = of_sdk(vendor, CredentialProviderChain.get_basic().get_credentials())
    assert of_exporter(binary, home, vendor) == expected


ACCESS_KEY = {"HUAWEICLOUD_SDK_AK": "AKENV", "HUAWEICLOUD_SDK_SK": "SKENV", "HUAWEICLOUD_SDK_PROJECT_ID": "0a0b0c"}
FEDERATED = {"HUAWEICLOUD_SDK_IDP_ID": "my-idp", "HUAWEICLOUD_SDK_ID_TOKEN_FILE": "TOKEN"}
OIDC = {"HUAWEICLOUD_OIDC_PROVIDER_URN": "p", "HUAWEICLOUD_OIDC_AGENCY_URN": "a", "HUAWEICLOUD_OIDC_TOKEN_FILE": "TOKEN"}
VARIABLES = {
    "key": ACCESS_KEY,
    "temporary key": {**ACCESS_KEY, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "a+b/c=="},
    "identity provider first": {**ACCESS_KEY, **FEDERATED},
    "half an identity provider": {**ACCESS_KEY, "HUAWEICLOUD_SDK_IDP_ID": "my-idp"},
    "oidc first": {**ACCESS_KEY, **FEDERATED, **OIDC},
    "oidc with everything": {
        **ACCESS_KEY, **OIDC, "HUAWEICLOUD_OIDC_ID_TOKEN": "another-token", "HUAWEICLOUD_OIDC_SESSION_NAME": "s",
        "HUAWEICLOUD_OIDC_DURATION_SECONDS": "900", "HUAWEICLOUD_OIDC_POLICY": "{}", "HUAWEICLOUD_OIDC_POLICY_IDS": "x, y,",
    },
    "half an oidc": {**ACCESS_KEY, "HUAWEICLOUD_OIDC_PROVIDER_URN": "p"},
    "half a key": {"HUAWEICLOUD_SDK_AK": "AKENV"},
}


@pytest.mark.parametrize("variables", VARIABLES)
def test_variables_are_read_alike_and_in_the_same_order(binary, home, vendor, monkeypatch, variables):
    (home / ".huaweicloud/credentials").write_text(PROFILES["plain"])
    for name, value in VARIABLES[variables].items():
        monkeypatch.setenv(name, str(home / "token") if value == "TOKEN" else value)
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", vendor.address)
    monkeypatch.setenv("HUAWEICLOUD_SDK_STS_ENDPOINT", vendor.address)
    expected = of_sdk(vendor, CredentialProviderChain.get_basic().get_credentials())
    assert of_exporter(binary, home, vendor) == expected


def test_the_metadata_service_is_asked_alike(binary, home, vendor, monkeypatch):
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", vendor.address)
    expected = of_sdk(vendor, CredentialProviderChain.get_basic().get_credentials())
    assert expected[0].startswith("AK-ecs-metadata-token")
    assert of_exporter(binary, home, vendor, project_id=PROJECT) == expected


def test_the_agent_of_a_pod_is_asked_alike_and_before_the_metadata_service(binary, home, vendor, monkeypatch):
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", vendor.address + "/pod/credentials?who=me")
    monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(home / "pod-token"))
    expected = of_sdk(vendor, PodIdentityCredentialProvider.get_basic().get_credentials())
    assert expected[0].startswith("AK-pod-")
    assert of_exporter(binary, home, vendor, project_id=PROJECT) == expected


# The simulated cloud hands out keys as the SDK expects them, takes them, and refuses what is wrong.


@pytest.fixture(scope="module")
def cloud(demo):
    return demo.clouds["huawei"]


ID_TOKEN = "demo.identity.token"
AGENCY = "iam::d78cbac186b744899480f25bd022f468:agency:demo-exporter"
PROVIDER = "iam::d78cbac186b744899480f25bd022f468:oidcProvider:demo-idp"


def shown_by(cloud, credentials):
    return show_job(credentials.with_project_id(cloud["project_id"]), cloud.url).metadata.uid


def test_the_simulated_machine_has_keys(home, cloud, monkeypatch):
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", cloud.url)
    credentials = MetadataCredentialProvider.get_basic().get_credentials()
    assert shown_by(cloud, credentials) == JOB
    spoilt = BasicCredentials(credentials.ak, credentials.sk).with_security_token("of-another-key")
    with pytest.raises(ServiceResponseException) as refused:
        shown_by(cloud, spoilt)
    assert refused.value.status_code == 401


def test_the_simulated_pod_has_keys(home, cloud, monkeypatch):
    (home / "pod-token").write_text("demo.pod.token")
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", cloud.url + "/v1/credentials")
    monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(home / "pod-token"))
    assert shown_by(cloud, PodIdentityCredentialProvider.get_basic().get_credentials()) == JOB


def test_the_simulated_iam_and_sts_give_keys_for_an_identity_token(home, cloud):
    (home / "token").write_text(ID_TOKEN)
    federated = BasicCredentials().with_idp_id("demo-idp").with_id_token_file(str(home / "token"))
    assert shown_by(cloud, federated.with_iam_endpoint(cloud.url)) == JOB

    def by_oidc(id_token):
        provider = OidcStsCredentialProvider("basic", PROVIDER, AGENCY, id_token=id_token, sts_endpoint=cloud.url)
        return shown_by(cloud, provider.get_credentials())

    assert by_oidc(ID_TOKEN) == JOB
    with pytest.raises(SdkException, match="status_code:401"):
        by_oidc("somebody-else")


def test_the_simulated_sts_gives_keys_of_an_agency(home, cloud):
    own = BasicCredentials(cloud["access_key"], cloud["secret_key"], cloud["project_id"])
    client = StsClient.new_builder().with_credentials(own).with_endpoint(cloud.url).build()

    def assume(urn):
        body = AssumeAgencyReqBody(agency_urn=urn, agency_session_name="judge", duration_seconds=900)
        return client.assume_agency(AssumeAgencyRequest(body=body)).credentials

    given = assume(AGENCY)
    temporary = BasicCredentials(given.access_key_id, given.secret_access_key)
    assert shown_by(cloud, temporary.with_security_token(given.security_token)) == JOB
    with pytest.raises(ServiceResponseException) as refused:
        assume(AGENCY + "-else")
    assert refused.value.status_code == 403


def test_the_demo_shows_when_keys_end(demo):
    name = "cloud_task_exporter_credentials_expiry_timestamp_seconds"
    accounts = {sample.labels["account"] for sample in demo.samples(name) if sample.labels["provider"] == "huawei"}
    assert {"cce-agency", "cce-token"} <= accounts
