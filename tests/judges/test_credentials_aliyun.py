"""Alibaba Cloud's SDK finds the keys that the exporter finds, in the same files, variables and services."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sdk
from exporter import environment, eventually, free_port
from vendor import Handler, serving

REFERENCE = Path(__file__).with_name("aliyun_keys.py")
ROLE = "acs:ram::1234567890123456:role/exporter"
PROVIDER = "acs:ram::1234567890123456:oidc-provider/rrsa"
TASK = {"task_id": "T-1", "state": "running", "created": "2026-01-01T00:00:00+08:00",
        "updated": "2026-01-01T00:00:00+08:00", "task_type": "cluster_scaleout", "task_result": []}


def keys(name):
    return {"AccessKeyId": f"STS.{name}", "AccessKeySecret": f"secret-of-{name}", "SecurityToken": f"token-of-{name}",
            "Expiration": "2099-01-01T00:00:00Z"}


class Vendor(Handler):
    """Whatever gives keys, and the API that notes which keys it is asked with."""

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(f"{url.query}&{body}").items()}
        authorization = self.headers.get("authorization", "")
        signer = authorization.partition("Credential=")[2].partition(",")[0] or asked.get("AccessKeyId")
        action = self.headers.get("x-acs-action") or asked.get("Action")
        if url.path.startswith("/tasks/"):
            self.server.signers.append((signer, self.headers.get("x-acs-security-token")))
            self.answer(TASK)
        elif url.path == "/latest/api/token" and self.command == "PUT":
            self.answer("metadata-token")
        elif url.path.startswith("/latest/") and self.headers.get("x-aliyun-ecs-metadata-token") != "metadata-token":
            self.answer("", 403)
        elif url.path == "/latest/meta-data/ram/security-credentials/":
            self.answer("machine")
        elif url.path == "/latest/meta-data/ram/security-credentials/machine":
            self.answer({"Code": "Success", **keys("ecs")})
        elif url.path == "/keys":
            self.answer({"Code": "Success", **keys("uri-" + asked.get("who", "nobody"))})
        elif url.path == "/cloud-credentials" and authorization == "Bearer access":
            self.answer({"CloudCredential": keys("sso-" + json.loads(body)["AccountId"])})
        elif url.path == "/" and action == "AssumeRole":
            # What both sides say of the session is part of the keys they get.
            said = "-".join(asked[name] for name in ("RoleArn", "RoleSessionName", "DurationSeconds"))
            extra = asked.get("Policy", "") + asked.get("ExternalId", "")
            self.answer({"Credentials": keys("".join(c for c in f"{signer}-{said}-{extra}" if c.isalnum() or c in ".-"))})
        elif url.path == "/" and action == "AssumeRoleWithOIDC" and asked.get("OIDCToken") == "oidc-token":
            self.answer({"Credentials": keys("oidc-" + asked["RoleSessionName"] + asked["DurationSeconds"])})
        else:
            self.answer({}, 404)

    do_GET = do_POST = do_PUT = serve


@pytest.fixture
def vendor():
    with serving(Vendor) as server:
        server.signers = []
        yield server


@pytest.fixture
def home(tmp_path):
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".alibabacloud").mkdir()
    (tmp_path / "token").write_text("oidc-token")
    return tmp_path


def variables(home, vendor, **more):
    ours = {name: value for name, value in environment().items() if not name.startswith("ALIBABA_CLOUD_")}
    no_proxy = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return {**ours, **no_proxy, "HOME": str(home), "REDIRECT_TO": vendor.address, **more}


def of_sdk(home, vendor, **more):
    """Id, secret and token by the SDK's default chain; its requests to the vendor's hosts are sent to ours."""
    ended = subprocess.run([sys.executable, str(REFERENCE)], env=variables(home, vendor, **more), text=True,
                           capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def of_exporter(binary, home, vendor, **more):
    """Id and token that the exporter's first request is made with."""
    config = home / "config.yaml"
    config.write_text(json.dumps({"poll": {"interval": "1s"}, "aliyun": [{
        "account": "ack", "region": "cn-hangzhou", "endpoint": vendor.address, "targets": [{"task": "T-1"}]}]}))
    tools = {"ALIBABA_CLOUD_STS_ENDPOINT": vendor.address, "ALIBABA_CLOUD_IMDS_ENDPOINT": vendor.address}
    vendor.signers.clear()
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [str(binary), "serve", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{free_port()}"],
            env=variables(home, vendor, **tools, **more), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        return eventually("the exporter asks for its task", lambda: vendor.signers and vendor.signers[0])
    finally:
        process.kill()
        process.wait()


def agree(binary, home, vendor, **more):
    access_key_id, _, token = of_sdk(home, vendor, **more)
    assert of_exporter(binary, home, vendor, **more) == (access_key_id, token or None)
    return access_key_id


def write_cli(home, *profiles, current="a"):
    (home / ".aliyun" / "config.json").write_text(json.dumps({"current": current, "profiles": profiles}))


AK = {"access_key_id": "LTAIbase", "access_key_secret": "secret-of-base"}
FAR = 4_000_000_000
SESSION = {"ram_role_arn": ROLE, "ram_session_name": "me", "expired_seconds": 1200}
PROFILES = {
    "AK": ({**AK}, "LTAIbase"),
    "StsToken": ({**AK, "sts_token": "t"}, "LTAIbase"),
    "RamRoleArn": ({**AK, **SESSION, "policy": '{"Version":"1"}', "external_id": "e"}, "STS.LTAIbase-acs"),
    "EcsRamRole": ({}, "STS.ecs"),
    "OIDC": ({**SESSION, "role_session_name": "me", "oidc_provider_arn": PROVIDER}, "STS.oidc-me1200"),
    "ChainableRamRoleArn": ({**SESSION, "source_profile": "base"}, "STS.LTAIother-acs"),
    "CloudSSO": ({"cloud_sso_account_id": "7", "cloud_sso_access_config": "ac", "access_token": "access",
                  "cloud_sso_access_token_expire": FAR}, "STS.sso-7"),
    "External": ({"process_command": """printf '%s' '{"mode": "StsToken", "access_key_id": "ext", """
                                     """"access_key_secret": "s", "sts_token": "t"}'"""}, "ext"),
    "OAuth": ({**AK, "oauth_site_type": "CN", "sts_token": "t", "sts_expiration": FAR}, "LTAIbase"),
}


@pytest.mark.parametrize("mode", PROFILES)
def test_profiles_of_the_cli(binary, home, vendor, mode):
    fields, expected = PROFILES[mode]
    profile = {"name": "a", "mode": mode, **fields}
    if mode == "OIDC":
        profile["oidc_token_file"] = str(home / "token")
    if mode == "CloudSSO":
        profile["cloud_sso_sign_in_url"] = vendor.address + "/start/login"
    base = {"name": "base", "mode": "AK", "access_key_id": "LTAIother", "access_key_secret": "s"}
    write_cli(home, {"name": "first", "mode": "AK", **AK, "access_key_id": "wrong"}, profile, base)
    assert agree(binary, home, vendor).startswith(expected)


INI = """\
[default]
type = access_key                # the usual
access_key_id = LTAIini # not this
access_key_secret = secret-of-ini

[role]
type = ram_role_arn
access_key_id = LTAIini
access_key_secret = secret-of-ini
role_arn = acs:ram::1234567890123456:role/exporter
role_session_name = me

[token]
type = oidc_role_arn
role_arn = acs:ram::1234567890123456:role/exporter
oidc_provider_arn = acs:ram::1234567890123456:oidc-provider/rrsa
oidc_token_file_path = TOKEN
role_session_name = me

[machine]
type = ecs_ram_role
role_name = machine
"""


@pytest.mark.parametrize("section, expected", [
    (None, "LTAIini"), ("role", "STS.LTAIini-acs"), ("token", "STS.oidc-me3600"), ("machine", "STS.ecs")])
def test_sections_of_the_credentials_file(binary, home, vendor, section, expected):
    (home / ".alibabacloud" / "credentials.ini").write_text(INI.replace("TOKEN", str(home / "token")))
    chosen = {"ALIBABA_CLOUD_PROFILE": section} if section else {}
    assert agree(binary, home, vendor, **chosen).startswith(expected)
    elsewhere = home / "elsewhere"
    (home / ".alibabacloud" / "credentials.ini").rename(elsewhere)
    named = {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(elsewhere), **chosen}
    assert agree(binary, home, vendor, **named).startswith(expected)


def test_the_order_of_the_chain(binary, home, vendor):
    write_cli(home, {"name": "a", "mode": "AK", **AK})
    (home / ".alibabacloud" / "credentials.ini").write_text(INI)
    found = {"ALIBABA_CLOUD_CREDENTIALS_URI": vendor.address + "/keys?who=me"}
    oidc = {"ALIBABA_CLOUD_ROLE_ARN": ROLE, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": PROVIDER,
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(home / "token"), "ALIBABA_CLOUD_ROLE_SESSION_NAME": "theirs"}
    env = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIenv", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    assert agree(binary, home, vendor, **found, **oidc, **env) == "LTAIenv"
    assert agree(binary, home, vendor, **found, **oidc, **env, ALIBABA_CLOUD_SECURITY_TOKEN="t") == "LTAIenv"
    assert agree(binary, home, vendor, **found, **oidc) == "STS.oidc-theirs3600"
    del oidc["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"]
    assert agree(binary, home, vendor, **found, **oidc) == "LTAIbase"
    found["ALIBABA_CLOUD_CLI_PROFILE_DISABLED"] = "TRUE"
    assert agree(binary, home, vendor, **found) == "LTAIini"
    (home / ".alibabacloud" / "credentials.ini").unlink()
    assert agree(binary, home, vendor, **found) == "STS.ecs"
    found["ALIBABA_CLOUD_ECS_METADATA_DISABLED"] = "true"
    assert agree(binary, home, vendor, **found) == "STS.uri-me"


@pytest.mark.parametrize("how", ["assume_role", "oidc", "instance_role", "uri"])
def test_the_simulated_cloud_gives_the_sdk_keys_and_takes_them(demo, home, how):
    cloud = demo.clouds["aliyun"]
    role = "acs:ram::1234567890123456:role/exporter"
    token = home / "demo-token"
    token.write_text("demo.service-account.token")
    key = {"access_key_id": cloud["access_key_id"], "access_key_secret": cloud["access_key_secret"]}
    if how == "assume_role":
        write_cli(home, {"name": "a", "mode": "RamRoleArn", **key, "ram_role_arn": role, "ram_session_name": "judge"})
    more = {
        "assume_role": {},
        "instance_role": {},
        "oidc": {"ALIBABA_CLOUD_ROLE_ARN": role, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token),
                 "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1234567890123456:oidc-provider/ack-rrsa-demo"},
        "uri": {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{cloud.url}/credentials", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"},
    }[how]

    class There:
        address = cloud.url

    access_key_id, secret, token = of_sdk(home, There, **more)
    assert access_key_id.startswith("STS.") and token
    client = sdk.aliyun(cloud, access_key_id, secret, security_token=token)
    assert sdk.patiently(client.describe_task_info, "T-5faa48fb31b6b8078d000006").status_code == 200
    with pytest.raises(sdk.AlibabaCloudException) as refused:
        sdk.patiently(sdk.aliyun(cloud, access_key_id, secret).describe_task_info, "T-5faa48fb31b6b8078d000006")
    assert refused.value.code == "MissingSecurityToken"


def test_the_demo_shows_when_its_keys_end(demo):
    def ends():
        samples = demo.samples("cloud_task_exporter_credentials_expiry_timestamp_seconds")
        return [sample.value for sample in samples if sample.labels["provider"] == "aliyun"]

    assert eventually("the keys of the role have an end", ends)[0] > 1_700_000_000
