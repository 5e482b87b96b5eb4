{# What an instance runs once, at its first boot. It goes out compressed where it is longer than 1,024 bytes (cloud-init unpacks gzip), so names
   are short; these comments stay here. Python is there wherever cloud-init is. Waits for a program that was not uploaded yet. #}
#!/usr/bin/python3
import hashlib,{% if s3 %}hmac,json,{% endif %}os,time
from urllib.request import*
def get(u,h={},m="GET"):return urlopen(Request(u,None,h,method=m),None,30).read(1<<28)
def sha(b):return hashlib.sha256(b).hexdigest()
{% if s3 %}
def fetch():
 {# The role's credentials, by IMDSv2 (EC2 user guide, "Retrieve security credentials from instance metadata"). #}
 u="http://169.254.169.254/latest/"
 t="X-aws-ec2-metadata-token"
 h={t:get(u+"api/token",{t+"-ttl-seconds":60},"PUT")}
 u+="meta-data/iam/security-credentials/"
 c=json.loads(get(u+get(u,h).decode(),h))
 {# Signature Version 4 in headers, so that the token stands in no URL (S3 API reference, "Authenticating Requests: Using the Authorization Header").
    The bucket stands in the path: a certificate for *.s3 covers no bucket with a dot in its name. #}
 u=os.getenv("AWS_ENDPOINT_URL_S3","https://s3.{{ region }}.amazonaws.com")
 d=time.strftime("%Y%m%dT%H%M%SZ",time.gmtime())
 h={"host":u.split("/")[2],"x-amz-content-sha256":"UNSIGNED-PAYLOAD","x-amz-date":d,"x-amz-security-token":c["Token"]}
 n=";".join(h)
 s=d[:8]+"/{{ region }}/s3/aws4_request"
 r="\n".join(["GET",p,"",*map(":".join,h.items()),"",n,"UNSIGNED-PAYLOAD"])
 k=b"AWS4"+c["SecretAccessKey"].encode()
 for t in*s.split("/"),f"AWS4-HMAC-SHA256\n{d}\n{s}\n"+sha(r.encode()):k=hmac.digest(k,t.encode(),"sha256")
 h["Authorization"]=f"AWS4-HMAC-SHA256 Credential={c['AccessKeyId']}/{s},SignedHeaders={n},Signature="+k.hex()
 return get(u+p,h)
{% endif %}
p="{{ binary }}"
{# Three hours: time enough for whoever uploads it after the stack. #}
for n in range(999):
 try:b={% if s3 %}fetch(){% else %}get(p){% endif %};break
 except Exception as e:print("spotboot:",p,e,flush=1);time.sleep(9)
if sha(b)!="{{ sha256 }}":exit("spotboot: wrong SHA-256: "+sha(b))
f="/usr/local/bin/spotboot"
open(f,"wb").write(b)
os.chmod(f,0o755)
os.execl(f,f,"install","--config","s3://{{ bucket }}/{{ prefix }}site.toml")
