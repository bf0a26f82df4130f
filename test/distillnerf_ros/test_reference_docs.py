"""The pages and the policy of SROS2 that are generated from the code."""

import importlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.layouts import load_layout
from distillnerf_ros import reference_docs
from distillnerf_ros.config import NodeConfig
from distillnerf_ros.parameter_reference import parameter_page
from distillnerf_ros.parameters import parameter_specs
from distillnerf_ros.reference_docs import main
from distillnerf_ros.sros2_policy import Access, policy_file
from distillnerf_ros.topic_reference import INPUTS, OUTPUTS, PRESET, Endpoint, Interface, node_interface, topic_page

ROOT = Path(__file__).resolve().parents[2]
POLICY = ROOT / "deployment" / "sros2_policy.xml"
QUESTIONS = [
    *("clear_queries", "encode_text", "get_voxels", "query_point", "query_text", "render_view", "save_frame"),
    "set_classes",
]
LIFECYCLE = ["change_state", "get_available_states", "get_available_transitions", "get_state", "get_transition_graph"]
PARAMETERS = [
    *("describe_parameters", "get_parameter_types", "get_parameters", "list_parameters"),
    *("set_parameters", "set_parameters_atomically"),
]


@pytest.fixture(scope="module")
def interface() -> Interface:
    return node_interface()


def test_the_page_of_parameters_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert page == parameter_page(), "docs/parameters.md is stale: python -m distillnerf_ros.reference_docs --write"


def test_the_page_of_topics_is_what_the_code_says(interface: Interface) -> None:
    page = (ROOT / "docs" / "topics.md").read_text()
    assert page == topic_page(interface), "docs/topics.md is stale: python -m distillnerf_ros.reference_docs --write"


def test_every_parameter_has_a_row() -> None:
    page = parameter_page()
    names = [spec.name for spec in parameter_specs(NodeConfig)]
    assert len(names) > 40
    assert all(f"| `{name}` |" in page for name in names)
    assert "| `sync.tolerance_s` | double | `0.015` | 0 to 1 |" in page


def test_a_topic_without_a_description_and_one_that_is_gone_are_errors(interface: Interface) -> None:
    new = Endpoint("~/news", "std_msgs/msg/String", "reliable, volatile")
    with pytest.raises(ConfigurationError, match=r"lack a description: \['~/news'\]"):
        topic_page(replace(interface, outputs=(*interface.outputs, new)))
    with pytest.raises(ConfigurationError, match=r"do not exist: \['/tf'\]"):
        topic_page(replace(interface, inputs=tuple(item for item in interface.inputs if item.name != "/tf")))


def test_stale_pages_are_named(
    interface: Interface, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_docs, "node_interface", lambda: interface)
    for folder in ("docs", "deployment"):
        (tmp_path / folder).mkdir()
    assert main(["--root", str(tmp_path), "--write"]) == 0
    assert main(["--root", str(tmp_path), "--check"]) == 0
    for name in ("docs/topics.md", "deployment/sros2_policy.xml"):
        (tmp_path / name).write_text("old")
        assert main(["--root", str(tmp_path), "--check"]) == 1
        assert f"{name} is stale" in capsys.readouterr().err


def allowed(kind: str, action: str) -> list[str]:
    """Names that the committed policy allows."""
    profile = ElementTree.parse(POLICY).findall("enclaves/enclave[@path='/distillnerf']/profiles/profile")
    assert [(item.get("ns"), item.get("node")) for item in profile] == [("/", "distillnerf")]
    return [item.text or "" for item in profile[0].findall(f"{kind}s[@{action}='ALLOW']/{kind}")]


def topics_of_cameras() -> list[str]:
    return [topic for camera in load_layout(PRESET).cameras for topic in (camera.image_topic, camera.info_topic)]


def test_the_policy_is_what_the_code_says(interface: Interface) -> None:
    stale = f"{POLICY.name} is stale: python -m distillnerf_ros.reference_docs --write"
    assert POLICY.read_text() == policy_file(interface.access, "distillnerf", PRESET), stale


def test_the_policy_allows_what_is_documented_and_what_ros_adds_and_nothing_else() -> None:
    cameras = load_layout(PRESET).names
    general = [name for name in OUTPUTS if "<cam>" in name]
    outputs = {name.replace("<cam>", camera) for name in general for camera in cameras} | set(OUTPUTS) - set(general)
    inputs = [name for name in INPUTS if not name.startswith("<")]
    of_node = [f"~/{name}" for name in (*LIFECYCLE, *PARAMETERS, "get_type_description")]
    assert len(topics_of_cameras()) == 12
    assert Counter(allowed("topic", "subscribe")) == Counter([*topics_of_cameras(), *inputs, "/clock"])
    added = ("/rosout", "/parameter_events", "~/transition_event")
    assert Counter(allowed("topic", "publish")) == Counter([*outputs, *added])
    assert Counter(allowed("service", "reply")) == Counter([*QUESTIONS, *of_node])
    assert allowed("service", "request") == []
    assert "DENY" not in POLICY.read_text()


def test_a_node_that_calls_services_has_a_rule_for_them() -> None:
    rules = ElementTree.fromstring(policy_file(Access((), (), (), ("/a/b",)), "n", "p")).findall(".//profile/*")
    assert [(rule.tag, rule.attrib, [item.text for item in rule]) for rule in rules] == [
        ("services", {"request": "ALLOW"}, ["/a/b"])
    ]


@pytest.mark.parametrize("namespace", ["/", "/robot"])
def test_sros2_makes_permissions_of_the_policy(namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sros2.keystore", reason="sros2 (`ros2 security`) is not installed")
    keystore = importlib.import_module("sros2.keystore")
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    policy = tmp_path / "policy.xml"
    policy.write_text(POLICY.read_text().replace('ns="/"', f'ns="{namespace}"'))
    keystore.create_keystore(tmp_path / "keys")
    keystore.create_enclave(tmp_path / "keys", "/distillnerf")
    keystore.create_permission(tmp_path / "keys", "/distillnerf", policy)
    grant = ElementTree.parse(tmp_path / "keys/enclaves/distillnerf/permissions.xml").find("permissions/grant")
    assert grant is not None
    assert (grant.findtext("subject_name"), grant.findtext("default")) == ("CN=/distillnerf", "DENY")
    assert {item.text for item in grant.iter("id")} == {"7"}
    assert {item.text for item in grant.findall("allow_rule/subscribe/topics/topic")} == in_dds(
        namespace, allowed("topic", "subscribe"), "rq", "Request"
    )
    assert {item.text for item in grant.findall("allow_rule/publish/topics/topic")} == in_dds(
        namespace, allowed("topic", "publish"), "rr", "Reply"
    )


def in_dds(namespace: str, topics: list[str], prefix: str, suffix: str) -> set[str]:
    """Names in DDS of topics and of one side of all services."""

    def full(name: str) -> str:
        inside = name.replace("~", "distillnerf", 1)
        return name if name.startswith("/") else f"{namespace.rstrip('/')}/{inside}"

    services = {f"{prefix}{full(name)}{suffix}" for name in allowed("service", "reply")}
    return {"ros_discovery_info", *(f"rt{full(name)}" for name in topics), *services}
