"""Every error the library raises on purpose; each message says what is wrong, where, and what to do."""


class DistillNerfError(Exception):
    """Base of all errors that a user can act on."""


class ConfigurationError(DistillNerfError):
    """A configuration file or value is invalid."""


class CalibrationError(DistillNerfError):
    """A camera calibration cannot be used."""


class ImageDecodeError(DistillNerfError):
    """An image message cannot be decoded."""


class TransformError(DistillNerfError):
    """A coordinate transform is missing, too old or not a rigid motion."""


class BagError(DistillNerfError):
    """A bag file cannot be read or written."""


class CheckpointError(DistillNerfError):
    """A checkpoint is missing, damaged, or belongs to another architecture."""


class LanguageError(DistillNerfError):
    """A text encoder or its files are missing or unusable."""


class QueryError(DistillNerfError):
    """A query cannot be answered as asked."""


class DataError(DistillNerfError):
    """A data set or recorded frame is missing, damaged or of another version."""
