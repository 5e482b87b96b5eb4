# An account of moto's, for what the region has none of: CloudFormation, Budgets, IAM. It prints where it answers, and serves until standard input ends.
# Arguments: the region, and how many zones it shows this account.
import os, sys

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]

from moto.cloudformation import parsing
from moto.ec2.models.route_tables import Route, RouteTable
from moto.ec2.models.vpcs import VPCBackend
from moto.server import ThreadedMotoServer

cleaned_by_moto = parsing.clean_json


# moto has no Fn::Cidr, shows four zones of us-east-1 anywhere, and leaves AWS::NoValue in lists.
def clean_json(value, resources):
    if isinstance(value, dict) and "Fn::Cidr" in value:
        return [f"2001:db8:0:{number}::/64" for number in range(int(value["Fn::Cidr"][1]))]
    if isinstance(value, dict) and "Fn::GetAZs" in value:
        return [sys.argv[1] + zone for zone in "abc"[: int(sys.argv[2])]]
    cleaned = cleaned_by_moto(value, resources)
    return [each for each in cleaned if each is not None] if isinstance(value, list) else cleaned


parsing.clean_json = clean_json


# moto's stacks leave their route tables, without whose end no network can be deleted, and it deletes in an order of chance: the tables go with the network.
@classmethod
def leave_to_the_network(cls, *_):
    pass


Route.delete_from_cloudformation_json = RouteTable.delete_from_cloudformation_json = leave_to_the_network
deleted_alone = VPCBackend.delete_vpc


def delete_vpc(self, vpc_id):
    if not self.describe_subnets(filters={"vpc-id": vpc_id}):
        for table in self.describe_route_tables(filters={"vpc-id": vpc_id}):
            if table.main_association_id is None:
                self.route_tables.pop(table.id)
    return deleted_alone(self, vpc_id)


VPCBackend.delete_vpc = delete_vpc

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
