#!/usr/bin/env bash
# Builds the ROS package (messages, node) with colcon into build/ and install/, for the ROS 2 that is sourced
# or, without one, for the ROS 2 wheels of the virtual environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rm -rf install
source scripts/ros_env.sh

paths=(.)
if [ -z "${ROS_DISTRO:-}" ]; then
  python scripts/repair_ros_wheels.py
fi
# tf2_msgs is missing in the wheels: one definition of ours stands in, only where there is no other.
if ! python -c 'from tf2_msgs.msg import TFMessage' 2>/dev/null; then
  paths+=(scripts/overlay/tf2_msgs)
fi
log=build/colcon.log
mkdir -p build
if ! colcon --log-base build/log build --symlink-install --base-paths "${paths[@]}" \
    --event-handlers console_cohesion+ --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
    -DPython3_EXECUTABLE="$(command -v python)" >"$log" 2>&1; then
  tail -n 60 "$log" >&2
  echo "distillnerf: colcon could not build the ROS package; the whole log is $log." >&2
  echo "distillnerf: it needs gcc, g++ and make; 'make clean setup' starts over." >&2
  exit 1
fi
echo "built the ROS package into install/"
