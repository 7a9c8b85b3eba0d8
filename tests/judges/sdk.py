"""The vendors' SDKs, pointed at the simulated clouds. Signing, sending and reading are the vendors' own code."""

import time
from http.client import HTTPConnection

from alibabacloud_cs20151215.client import Client as ContainerService
from alibabacloud_tea_openapi import models as openapi
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from huaweicloudsdkcce.v3 import CceClient
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from QcloudApi.modules.batch import Batch
from tencentcloud.batch.v20170312.batch_client import BatchClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile


def patiently(call, *arguments):
    """Calls again while the cloud asks for fewer requests: its quota is shared with the exporter's polls."""
    for _ in range(50):
        try:
            return call(*arguments)
        except (TencentCloudSDKException, AlibabaCloudException, ServiceResponseException) as error:
            if not _is_throttled(error):
                raise
        time.sleep(0.2)
    raise AssertionError("the simulated cloud throttles without end")


def _is_throttled(error):
    if isinstance(error, ServiceResponseException):
        return error.status_code == 429
    return "Throttling" in str(error.code) or str(error.code).startswith("RequestLimitExceeded")


def tencent(cloud, secret_id=None, secret_key=None):
    """API 3.0."""
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=cloud.authority, reqTimeout=10))
    credential = Credential(secret_id or cloud["secret_id"], secret_key or cloud["secret_key"])
    return BatchClient(credential, cloud["region"], profile)


def tencent_legacy(cloud, secret_key=None, method="GET", signature_method="HmacSHA256"):
    """API 2.0. The old SDK speaks HTTPS only, so its connection is replaced; everything else is its own."""

    class Loopback(Batch):
        requestHost = cloud.authority

    class PlainConnection(HTTPConnection):
        request_length = 0

    client = Loopback(
        {
            "secretId": cloud["secret_id"],
            "secretKey": secret_key or cloud["secret_key"],
            "Region": cloud["region"],
            "Version": "2017-03-12",
            "method": method,
            "SignatureMethod": signature_method,
        }
    )
    client.apiRequest.conn = PlainConnection(cloud.authority, timeout=10)
    return client


def aliyun(cloud, access_key_id=None, access_key_secret=None, security_token=None):
    """Version 2015-12-15."""
    return ContainerService(
        openapi.Config(
            access_key_id=access_key_id or cloud["access_key_id"],
            access_key_secret=access_key_secret or cloud["access_key_secret"],
            security_token=security_token,
            region_id=cloud["region"],
            endpoint=cloud.authority,
            protocol="http",
            read_timeout=10_000,
        )
    )


def huawei(cloud, access_key=None, secret_key=None):
    """CCE v3."""
    credentials = BasicCredentials(
        access_key or cloud["access_key"], secret_key or cloud["secret_key"], cloud["project_id"]
    )
    return CceClient.new_builder().with_credentials(credentials).with_endpoint(cloud.url).build()
