# S3 by moto on a free port, which is printed. Ends when whoever started it does: its standard input is a pipe from there.
# With policies (a JSON list) as its argument it holds the bucket example-site, makes a user for each, prints the users' keys, and enforces.
import json
import logging
import sys
import threading
import urllib.request

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
if sys.argv[1:]:
    here = f"http://127.0.0.1:{server.port}"
    session = boto3.Session("root", "root", region_name="us-east-1")
    session.client("s3", endpoint_url=here).create_bucket(Bucket="example-site")
    iam = session.client("iam", endpoint_url=here)
    keys = []
    for number, policy in enumerate(json.loads(sys.argv[1])):
        name = f"user-{number}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
        keys.append(iam.create_access_key(UserName=name)["AccessKey"])
    unguarded = urllib.request.Request(f"{here}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(unguarded).close()
    for key in keys:
        print(key["AccessKeyId"], key["SecretAccessKey"], flush=True)
sys.stdin.read()
