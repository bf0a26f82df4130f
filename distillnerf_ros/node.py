"""The lifecycle node: from parameters to an active perception session and back.

This module imports without torch: what is missing is said when the node is created and when it is configured.
"""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from distillnerf_core.errors import DistillNerfError
from distillnerf_ros.all_or_nothing import all_or_nothing
from distillnerf_ros.diagnostics import DiagnosticsPublisher
from distillnerf_ros.health import HealthBoard, Level
from distillnerf_ros.memory import free_memory
from distillnerf_ros.parameters import declare_parameters, read_parameters

if TYPE_CHECKING:
    from distillnerf_core.perception.pipeline import PerceptionPipeline
    from distillnerf_core.streams.layouts import Layout
    from distillnerf_ros.config import NodeConfig
    from distillnerf_ros.layout_search import LayoutSearch
    from distillnerf_ros.services.desk import ServiceDesk
    from distillnerf_ros.services.scene import Scene
    from distillnerf_ros.session import PerceptionSession
    from distillnerf_ros.session_health import SessionHealth

logger = logging.getLogger(__name__)

SESSION_PARTS = ("camera ", "calibration ", "sync", "time", "input", "latency", "tf", "frame", "output", "qos")
"""Parts of the diagnostics that only an active node knows of."""


class DistillNerfNode(LifecycleNode):  # type: ignore[misc]
    """Node `distillnerf`: surround cameras in; depth, semantic occupancy and answers to texts out.

    Args:
        options: Passed on to `rclpy.lifecycle.LifecycleNode`, such as context and parameter_overrides.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("distillnerf", **options)
        self.board = HealthBoard(self._log)
        self._config: NodeConfig | None = None
        self._pipeline: PerceptionPipeline | None = None
        self._search: LayoutSearch | None = None
        self._session: PerceptionSession | None = None
        self._health: SessionHealth | None = None
        self._changes: Timer | None = None
        self._desk: ServiceDesk | None = None
        self._declared = self._declare()
        self._diagnostics = DiagnosticsPublisher(self, self.board, self._refresh)
        if self._declared and self.get_parameter("auto_activate").value:
            self._starter = self.create_timer(0.0, self._start)

    @property
    def session(self) -> "PerceptionSession | None":
        """The running session while the node is active and knows its cameras."""
        return self._session

    @property
    def config(self) -> "NodeConfig | None":
        """The configuration that is in effect, None before the node is configured."""
        return self._config

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reads the parameters and loads the checkpoint; a problem leaves the node unconfigured."""
        if not (self._declared or self._declare()):
            return TransitionCallbackReturn.FAILURE
        done = self._attempt("model", self._configure)
        return TransitionCallbackReturn.SUCCESS if done else TransitionCallbackReturn.FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribes to the cameras, or looks for them where the preset is "auto"; a problem leaves it inactive."""
        if not self._attempt("input", self._find_cameras):
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ends subscriptions and inference."""
        self._close_session()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the network."""
        self._release()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees everything."""
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Returns to the unconfigured state."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Ends the inference thread before the node."""
        self._release()
        if self._desk is not None:
            self._desk.stop()
        super().destroy_node()

    def _declare(self) -> bool:
        try:
            from distillnerf_ros.config import NodeConfig
            from distillnerf_ros.services.desk import ServiceDesk
        except ImportError as err:
            self.board.error(
                "model",
                f"{sys.executable} lacks {err.name}: install it for this interpreter "
                f"(`{sys.executable} -m pip install torch`, see the README), then start the node again",
            )
            return False
        declare_parameters(self, NodeConfig, self._parameters_change)
        self._desk = ServiceDesk(self, self._scene, self.board)
        return True

    def _parameters_change(self) -> None:
        # The node holds the new values only after the callback that this is called from.
        if self._config is not None:
            self._changes = self._changes or self.create_timer(0.0, self._apply_changes)

    def _apply_changes(self) -> None:
        """Makes parameters of outputs count from the next frame; others wait until the node is configured again."""
        from distillnerf_ros.config import NodeConfig

        if self._changes is not None:
            self.destroy_timer(self._changes)
            self._changes = None
        if self._config is None or self._pipeline is None:
            return
        config, waiting = self._config.with_changes(read_parameters(self, NodeConfig))
        if waiting:
            self.get_logger().warning(
                f"{', '.join(waiting)}: takes effect when the node is configured again "
                "(`ros2 lifecycle set /distillnerf deactivate`, cleanup, configure, activate)"
            )
        self._config = config
        self._pipeline.config = config.perception_config()
        if self._session is not None and self._health is not None:
            self._session.reconfigure(config)
            self._health.reconfigure(config.diagnostics)

    def _configure(self) -> None:
        from distillnerf_core.perception.pipeline import PerceptionPipeline
        from distillnerf_core.streams.frame_stream import check_inputs
        from distillnerf_ros.config import NodeConfig

        config = read_parameters(self, NodeConfig)
        check_inputs(config.stream_config())
        pipeline = PerceptionPipeline.from_checkpoint(
            config.checkpoint_path(), config.perception_config(), config.model.device, options=config.model
        )
        self._report_language(pipeline)
        self._config, self._pipeline = config, pipeline
        self.board.ok("model", "loaded", self._model_values())
        self.get_logger().info(f"configured on {pipeline.device}")

    def _model_values(self) -> dict[str, object]:
        assert self._config is not None
        assert self._pipeline is not None
        model = self._config.model
        return {"checkpoint": model.checkpoint or "embedded", "device": self._pipeline.device, "dtype": model.dtype}

    def _report_language(self, pipeline: "PerceptionPipeline") -> None:
        """Says whether texts will be answered; without them the node does the rest of its work."""
        from distillnerf_core.errors import LanguageError
        from distillnerf_core.language.text_space import NoTexts
        from distillnerf_core.perception.query import TextQuery

        if isinstance(pipeline.language, NoTexts) and not pipeline.language.faulty:
            self.board.warn("query", pipeline.language.reason)
            return
        try:
            pipeline.encode_query(TextQuery(("car",)))
            self.board.ok("query", "ready")
        except LanguageError as err:
            self.board.error("query", str(err))

    def _attempt(self, part: str, work: Callable[[], None]) -> bool:
        """Does work of which a problem is reported and nothing else: the node says so and stays."""
        try:
            work()
        except DistillNerfError as err:
            self.board.error(part, str(err))
        except Exception as err:
            logger.exception("%s: failed", part)
            self.board.error(part, f"unexpected {type(err).__name__}: {err}; the log has the trace")
        else:
            return True
        return False

    def _find_cameras(self) -> None:
        from distillnerf_core.streams.layouts import load_layout
        from distillnerf_ros.layout_search import LayoutSearch

        assert self._config is not None
        preset = self._config.input.preset
        if preset == "auto":
            self._search = LayoutSearch(self, self.board, self._open_found)
        else:
            self._open_session(load_layout(preset))

    def _open_found(self, layout: "Layout") -> None:
        self._attempt("input", partial(self._open_session, layout))

    def _open_session(self, layout: "Layout") -> None:
        from distillnerf_ros.session import PerceptionSession
        from distillnerf_ros.session_health import SessionHealth

        assert self._config is not None
        assert self._pipeline is not None
        assert self._desk is not None
        with all_or_nothing(self):
            self._session = PerceptionSession(self, layout, self._config, self._pipeline, self.board, self._desk.kept)
        self.board.drop_retired()
        try:
            self._health = SessionHealth(self._session, self.board, self._config.diagnostics, self._model_values())
        except BaseException:
            self._close_session()
            raise
        topics = ", ".join(camera.image_topic for camera in layout.cameras)
        self.board.ok("input", f"layout {layout.name}", {"topics": topics})
        self.get_logger().info(f"layout {layout.name}: {topics}")

    def _close_session(self) -> None:
        if self._search is not None:
            self._search.stop()
        if self._session is not None:
            self._session.close()
            self.board.retire(SESSION_PARTS, "the node is not active")
        self._search = self._session = self._health = None

    def _release(self) -> None:
        self._close_session()
        self._config = self._pipeline = None
        if self._desk is not None:
            self._desk.kept.clear()
        free_memory()

    def _scene(self) -> "Scene | None":
        """Returns what services answer from, None while the node is not active; called in their threads."""
        from distillnerf_ros.services.scene import Scene

        session, pipeline, config = self._session, self._pipeline, self._config
        if session is None or pipeline is None or config is None or self._desk is None:
            return None
        return Scene(pipeline, config, session, self._desk.kept, session.latest)

    def _refresh(self) -> None:
        if self._health is not None:
            self._health.refresh()

    def _start(self) -> None:
        self.destroy_timer(self._starter)
        if self.trigger_configure() is TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _log(self, level: Level, text: str) -> None:
        if level is Level.ERROR:
            self.get_logger().error(text)
        else:
            self.get_logger().warning(text)
