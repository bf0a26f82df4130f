"""`SaveFrame`: writes the newest frame to files."""

from distillnerf_core.perception.saving import frame_folder, save_frame
from distillnerf_ros.services.scene import Scene
from distillnerf_ros.srv import SaveFrame


def answer_save_frame(scene: Scene, request: SaveFrame.Request, response: SaveFrame.Response) -> None:
    """Renders what nobody had asked for, and writes everything to a folder that is whole or not there."""
    folder = frame_folder(request.folder, scene.config.save.folder)
    saved = save_frame(scene.pipeline.complete(scene.result), folder)
    response.path, response.bytes = str(saved.folder), saved.size
