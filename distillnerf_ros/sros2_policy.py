"""deployment/sros2_policy.xml: what an active node subscribes, publishes and serves, for `ros2 security`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

ENCLAVE = "/distillnerf"
SINCE_IRON = "~/get_type_description"
"""Service of every node from ROS 2 Iron on. It is allowed where the policy is written on Humble, too."""

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!-- What the node distillnerf needs under SROS2, from the graph of an active node with the preset {preset}.
     Written by distillnerf_ros.reference_docs, as docs/topics.md is; a test fails where it is stale.
     Copy it and change the ns of the profile and the subscribed topics of the cameras: docs/security.md. -->"""


@dataclass(frozen=True)
class Access:
    """Names that a node uses, as a policy has them.

    "~/" stands for the node, a name without a slash in front is in the node's namespace, others are absolute.

    Attributes:
        subscribes: Topics.
        publishes: Topics.
        replies: Services that it offers.
        requests: Services that it calls.
    """

    subscribes: tuple[str, ...]
    publishes: tuple[str, ...]
    replies: tuple[str, ...]
    requests: tuple[str, ...]


def node_access(node: Node) -> Access:
    """Returns what a node has in the graph.

    Args:
        node: In a namespace other than "/", where absolute names cannot be told from those in the namespace.
    """

    def names(find: Callable[[str, str], Any]) -> set[str]:
        found = find(node.get_name(), node.get_namespace())
        return {_in_policy(name, node.get_fully_qualified_name(), node.get_namespace()) for name, _ in found}

    return Access(
        tuple(sorted(names(node.get_subscriber_names_and_types_by_node))),
        tuple(sorted(names(node.get_publisher_names_and_types_by_node))),
        tuple(sorted(names(node.get_service_names_and_types_by_node) | {SINCE_IRON})),
        tuple(sorted(names(node.get_client_names_and_types_by_node))),
    )


def policy_file(access: Access, node: str, preset: str) -> str:
    """Returns the policy that allows a node what it uses and nothing else.

    Args:
        access: What it uses.
        node: Its name, without the namespace.
        preset: Preset whose topics it subscribes.
    """
    rules = (
        ("topic", "subscribe", access.subscribes),
        ("topic", "publish", access.publishes),
        ("service", "reply", access.replies),
        ("service", "request", access.requests),
    )
    return "\n".join(
        [
            HEAD.format(preset=preset),
            '<policy version="0.2.0">',
            "  <enclaves>",
            f'    <enclave path="{ENCLAVE}">',
            "      <profiles>",
            f'        <profile ns="/" node="{node}">',
            *(line for kind, action, names in rules for line in _rule(kind, action, names)),
            "        </profile>",
            "      </profiles>",
            "    </enclave>",
            "  </enclaves>",
            "</policy>",
            "",
        ]
    )


def _in_policy(name: str, node: str, namespace: str) -> str:
    if name.startswith(f"{node}/"):
        return f"~{name.removeprefix(node)}"
    return name.removeprefix(f"{namespace}/")


def _rule(kind: str, action: str, names: Iterable[str]) -> list[str]:
    lines = [f"            <{kind}>{name}</{kind}>" for name in names]
    return [f'          <{kind}s {action}="ALLOW">', *lines, f"          </{kind}s>"] if lines else []
