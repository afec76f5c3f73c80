"""The error classes of streamdet.

StreamdetError              exit code 1
├── UsageError              2   an argument, a config value or a combination that cannot work
│   └── ConfigError         2   names the key, the value and the fix
├── ModelError              2   a model file that is missing, broken or of an unknown contract
│   └── DownloadError       1   a model file could not be downloaded or stored: a retry may help
├── HardwareError           3   the hardware asked for is not available
├── SourceError             1   a source could not be opened, or failed while running
│   └── AuthError           1   the source refused the credentials (retried slowly: cameras lock accounts)
├── SinkError               1   a sink could not be opened, or failed while running
└── AccountingError         1   frames went missing without a counted cause: a defect of streamdet

Every message is one line, states what to do next, and never contains credentials.
"""


class StreamdetError(Exception):
    """Base class of all errors that streamdet raises deliberately."""

    exit_code = 1


class UsageError(StreamdetError):
    """An argument, a config value or a combination of them that cannot work."""

    exit_code = 2


class ConfigError(UsageError):
    """A config value that cannot work; the message names the key, the value and the fix."""


class ModelError(StreamdetError):
    """A model file that is missing or broken, or whose contract is unknown."""

    exit_code = 2


class DownloadError(ModelError):
    """A model file could not be downloaded or stored; the message names the reply of each mirror."""

    exit_code = 1  # the command line was valid


class HardwareError(StreamdetError):
    """Hardware that was requested by name is not available; the message names what is missing."""

    exit_code = 3


class SourceError(StreamdetError):
    """A source could not be opened, or failed while it was read."""


class AuthError(SourceError):
    """The source refused the credentials."""


class SinkError(StreamdetError):
    """A sink could not be opened, or failed while it was written."""


class AccountingError(StreamdetError):
    """Captured frames are not the sum of shown and dropped frames."""
