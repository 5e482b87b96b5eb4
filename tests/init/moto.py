# Makes each stack in an empty account of moto's, and tells what came of it. moto has no Fn::Cidr: subnets get addresses by hand.
import ast, json, os, re, sys

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="ap-southeast-2")

import boto3
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

# It wants launch specifications, which a fleet with a launch template has none of.
get_model_map().pop("AWS::EC2::SpotFleet")


def made(path):
    client = {name: boto3.client(name) for name in ("cloudformation", "ec2", "iam", "s3", "autoscaling")}
    body = re.sub(r"!Select \[(\d), !Cidr .*", r"2001:db8:0:\1::/64", open(path).read())
    body = body.replace("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "AWS::EC2::Image::Id")
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
            }

    return {
        "status": stack["StackStatus"],
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        "encryption": encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "subnets": len(client["ec2"].describe_subnets(Filters=[{"Name": "vpc-id", "Values": [ids["Vpc"]]}])["Subnets"]),
        "ports": sorted(ports),
        "elastic_ips": [address["PublicIp"] for address in client["ec2"].describe_addresses()["Addresses"]],
        "user_data": template["LaunchTemplateData"]["UserData"],
        "metadata": template["LaunchTemplateData"]["MetadataOptions"],
        "image": template["LaunchTemplateData"]["ImageId"],
        "instance_policy": policy("InstanceRole"),
        "ci_policy": policy("CiRole"),
        "ci_trust": ids.get("CiRole") and client["iam"].get_role(RoleName=ids["CiRole"])["Role"]["AssumeRolePolicyDocument"],
        "group": scaling(),
    }


def alone(path):
    with mock_aws():
        return made(path)


json.dump([alone(path) for path in sys.argv[1:]], sys.stdout, default=str)
