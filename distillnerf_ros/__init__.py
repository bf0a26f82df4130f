"""The ROS 2 layer of distillnerf: lifecycle node, parameters, publishers, services, diagnostics.

The message modules that colcon generates (`distillnerf_ros.msg`, `distillnerf_ros.srv`) are installed
elsewhere than the source tree; extending the package's path joins both, whichever is imported first.
"""

import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)
