# Makes each stack in an empty account of moto's, and tells what came of it: arguments are the region, how many zones it shows this account, the stacks.
# moto has no Fn::Cidr: subnets get addresses by hand.
import ast, json, os, re, sys

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION=sys.argv[1])

import boto3
from moto import mock_aws
from moto.cloudformation import parsing

# It wants launch specifications, which a fleet with a launch template has none of.
parsing.get_model_map().pop("AWS::EC2::SpotFleet")

cleaned_by_moto = parsing.clean_json


# It shows four zones of us-east-1 anywhere, and leaves AWS::NoValue in lists.
def clean_json(value, resources):
    if isinstance(value, dict) and "Fn::GetAZs" in value:
        return [sys.argv[1] + zone for zone in "abc"[: int(sys.argv[2])]]
    cleaned = cleaned_by_moto(value, resources)
    return [each for each in cleaned if each is not None] if isinstance(value, list) else cleaned


parsing.clean_json = clean_json


def in_a_network_that_is_there(body, ec2):
    """Makes the network that the stack names, and has the stack name it by moto's ids."""
    for vpc in re.findall(r"VpcId: (vpc-\w+)", body)[:1]:
        there = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        body = body.replace(vpc, there)
        for number, subnet in enumerate(sorted(set(re.findall(r"subnet-\w+", body)))):
            zone, block = sys.argv[1] + "abc"[number], f"10.0.{number}.0/24"
            made = ec2.create_subnet(VpcId=there, AvailabilityZone=zone, CidrBlock=block)
            body = body.replace(subnet, made["Subnet"]["SubnetId"])
    return body


def made(path):
    client = {name: boto3.client(name) for name in ("cloudformation", "ec2", "iam", "s3", "autoscaling")}
    body = re.sub(r"!Select \[(\d), !Cidr .*", r"2001:db8:0:\1::/64", open(path).read())
    body = body.replace("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "AWS::EC2::Image::Id")
    body = in_a_network_that_is_there(body, client["ec2"])
    image = {"ParameterKey": "ImageId", "ParameterValue": "ami-0123456789abcdef0"}
    client["cloudformation"].create_stack(StackName="site", TemplateBody=body, Parameters=[image], Capabilities=["CAPABILITY_IAM"])
    stack = client["cloudformation"].describe_stacks(StackName="site")["Stacks"][0]
    resources = client["cloudformation"].describe_stack_resources(StackName="site")["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources if "PhysicalResourceId" in resource}
    template = client["ec2"].describe_launch_template_versions(LaunchTemplateId=ids["LaunchTemplate"])["LaunchTemplateVersions"][0]
    group = client["ec2"].describe_security_groups(GroupIds=[ids["SecurityGroup"]])["SecurityGroups"][0]
    s3, bucket = client["s3"], ids["Bucket"]
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    ports = {rule["FromPort"] for rule in group["IpPermissions"]}

    def policy(role):
        # As Python writes it, not as JSON.
        return ids.get(role) and ast.literal_eval(client["iam"].get_role_policy(RoleName=ids[role], PolicyName="spotboot")["PolicyDocument"])

    def scaling():
        for group in client["autoscaling"].describe_auto_scaling_groups()["AutoScalingGroups"]:
            instances = group["MixedInstancesPolicy"]["InstancesDistribution"]
            return {
                "min": group["MinSize"],
                "max": group["MaxSize"],
                "desired": group["DesiredCapacity"],
                "protected": group["NewInstancesProtectedFromScaleIn"],
                "strategy": instances["SpotAllocationStrategy"],
                "zones": sorted(group["AvailabilityZones"]),
            }

    return {
        "status": stack["StackStatus"],
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        "encryption": encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "subnets": len(client["ec2"].describe_subnets(Filters=[{"Name": "vpc-id", "Values": [group["VpcId"]]}])["Subnets"]),
        "ports": sorted(ports),
        "elastic_ips": [address["PublicIp"] for address in client["ec2"].describe_addresses()["Addresses"]],
        "user_data": template["LaunchTemplateData"]["UserData"],
        "metadata": template["LaunchTemplateData"]["MetadataOptions"],
        "interfaces": template["LaunchTemplateData"].get("NetworkInterfaces", []),
        "image": template["LaunchTemplateData"]["ImageId"],
        "instance_policy": policy("InstanceRole"),
        "ci_policy": policy("CiRole"),
        "ci_trust": ids.get("CiRole") and client["iam"].get_role(RoleName=ids["CiRole"])["Role"]["AssumeRolePolicyDocument"],
        "group": scaling(),
    }


def alone(path):
    with mock_aws():
        return made(path)


json.dump([alone(path) for path in sys.argv[3:]], sys.stdout, default=str)
