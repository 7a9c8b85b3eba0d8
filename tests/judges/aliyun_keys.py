"""Prints the keys that Alibaba Cloud's SDK finds by its default chain, as JSON.

Run as a process of its own, since the SDK reads the environment when it is imported. Its requests to the vendor's own hosts
go to REDIRECT_TO instead, as they are.
"""

import json
import os
from urllib.parse import urlsplit

from alibabacloud_credentials.provider import DefaultCredentialsProvider
from Tea.core import TeaCore

ours = urlsplit(os.environ["REDIRECT_TO"])
send = TeaCore.do_action


def redirected(request, options=None):
    host = request.headers["host"]
    if host == "100.100.100.200" or host.endswith(".aliyuncs.com"):
        request.protocol, request.port, request.headers["host"] = "http", ours.port, ours.hostname
    return send(request, options)


TeaCore.do_action = staticmethod(redirected)
found = DefaultCredentialsProvider().get_credentials()
print(json.dumps([found.get_access_key_id(), found.get_access_key_secret(), found.get_security_token()]))
