"""A ROS client of the node: takes it through its lifecycle and asks it."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from distillnerf_ros.srv import QueryText
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from demo.failure import DemoError

NODE = "/distillnerf"
CONFIGURE_S = 90.0
ANSWER_S = 15.0
TRANSITIONS = ((Transition.TRANSITION_CONFIGURE, "configure"), (Transition.TRANSITION_ACTIVATE, "activate"))


class DemoClient:
    """Context manager over a ROS node that spins in its own thread."""

    def __init__(self) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node("distillnerf_demo", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name="demo client", daemon=True)
        self._change_state = self.node.create_client(ChangeState, f"{NODE}/change_state")
        self._query_text = self.node.create_client(QueryText, "/query_text")

    def __enter__(self) -> "DemoClient":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._thread.join(5.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def activate(self, check: Callable[[], None]) -> None:
        """Configures and activates the node.

        Args:
            check: Raises where the node's process has ended.

        Raises:
            DemoError: If the node does not come up or refuses.
        """
        for transition, name in TRANSITIONS:
            request = ChangeState.Request(transition=Transition(id=transition))
            if not self._call(self._change_state, request, CONFIGURE_S, check).success:
                raise DemoError(f"the node refused to {name}; its log says why")

    def ask(self, check: Callable[[], None], **fields: Any) -> QueryText.Response:
        """Calls /query_text.

        Raises:
            DemoError: If no answer comes.
        """
        return self._call(self._query_text, QueryText.Request(**fields), ANSWER_S, check)

    def _call(self, client: Any, request: Any, timeout_s: float, check: Callable[[], None]) -> Any:
        deadline = time.monotonic() + timeout_s
        while not client.service_is_ready():
            _pause(deadline, f"service {client.srv_name} is not there", check)
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        while not answered.wait(0.05):
            _pause(deadline, f"service {client.srv_name} does not answer", check)
        return future.result()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return


def _pause(deadline: float, trouble: str, check: Callable[[], None]) -> None:
    check()
    if time.monotonic() > deadline:
        raise DemoError(f"{trouble}; is another ROS_DOMAIN_ID or RMW_IMPLEMENTATION set?")
    time.sleep(0.02)
