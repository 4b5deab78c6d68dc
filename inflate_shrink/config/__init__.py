"""Typed configuration, from YAML files, rows of the paper by name, and ``-o key=value``."""

from .load import config_from_dict, differences, flatten, in_effect, load_config, student_config, to_dict
from .rows import is_row, split_reference
from .schema import (
    KEYS,
    NOTHING,
    PLACE,
    RESULT,
    WEIGHTS,
    AmpConfig,
    Config,
    DataConfig,
    DistillConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
    keys_deciding,
)
from .yaml_files import config_path, is_name, parse_yaml, read_yaml
