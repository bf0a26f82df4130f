# Source this (bash) for a shell with the virtual environment, ROS 2 and the built messages:
#   source scripts/ros_env.sh
# A ROS 2 that is already sourced (ROS_DISTRO set) is used; otherwise the one from PyPI in the virtual environment.
_distillnerf_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
_distillnerf_venv="${DISTILLNERF_VENV:-$_distillnerf_root/.venv}"

if [ -f "$_distillnerf_venv/bin/activate" ]; then
  . "$_distillnerf_venv/bin/activate"
else
  echo "distillnerf: no virtual environment at $_distillnerf_venv; run 'make setup' first" >&2
fi

if [ -z "${ROS_DISTRO:-}" ]; then
  # The environment itself is the ament prefix of the ROS 2 wheels, which bring Fast DDS alone.
  export AMENT_PREFIX_PATH="$_distillnerf_venv" CMAKE_PREFIX_PATH="$_distillnerf_venv"
  if [ -n "${RMW_IMPLEMENTATION:-}" ] && [ "$RMW_IMPLEMENTATION" != rmw_fastrtps_cpp ]; then
    echo "distillnerf: RMW_IMPLEMENTATION=$RMW_IMPLEMENTATION is not in the ROS 2 wheels; unset for this shell" >&2
    unset RMW_IMPLEMENTATION
  fi
  # The wheels re-execute Python once to set LD_LIBRARY_PATH; a stale guard would skip that.
  unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
fi

if [ -f "$_distillnerf_root/install/local_setup.bash" ]; then
  # colcon's script reads variables that may be unset.
  case $- in *u*) set +u; . "$_distillnerf_root/install/local_setup.bash"; set -u ;;
             *) . "$_distillnerf_root/install/local_setup.bash" ;; esac
fi

# The source tree comes first, so that edits count without another build; the generated modules join it.
export PYTHONPATH="$_distillnerf_root${PYTHONPATH:+:$PYTHONPATH}"
# Images of some megabytes are lost over the default transports.
export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$_distillnerf_root/config/fastdds_large_images.xml}"
export ROS_LOG_DIR="${ROS_LOG_DIR:-$_distillnerf_root/log/ros}"
unset _distillnerf_root _distillnerf_venv
