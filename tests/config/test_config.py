"""Settings: strict, complete, and the paper's where the paper gives numbers."""

from dataclasses import asdict

import pytest

from s2v_ray.config import Config, config_from_dict, config_to_toml, load_config, with_settings
from s2v_ray.config.load import upgraded
from s2v_ray.errors import UserError


def test_the_paper_preset_has_the_papers_numbers():
    paper = load_config("paper")
    assert paper.clips.frame_rate == "30"
    assert paper.clips.sample_rate == 44100
    assert paper.clips.frames == 120
    assert paper.data.train_frames == 100
    assert paper.data.resolution == 64
    assert paper.sound.spectrogram == "linear"
    assert paper.sound.stft_window_frames == 1
    assert paper.video_discriminator.frames == 16
    assert (paper.loss.adversarial_image_weight, paper.loss.adversarial_video_weight) == (1.0, 1.0)
    assert (paper.loss.reconstruction, paper.loss.reconstruction_weight) == ("l1", 100.0)
    assert paper.optim.generator_lr == paper.optim.image_discriminator_lr == paper.optim.video_discriminator_lr == 2e-4
    assert (paper.optim.beta1, paper.optim.beta2) == (0.5, 0.999)
    assert paper.training.batch_size == 2
    assert paper == Config()


@pytest.mark.parametrize("preset", ["paper", "stable", "large", "small", "tiny"])
def test_both_adversarial_weights_are_above_zero(preset):
    loss = load_config(preset).loss
    assert loss.adversarial_image_weight > 0
    assert loss.adversarial_video_weight > 0


def test_a_written_configuration_loads_as_the_same(tmp_path):
    config = with_settings(load_config("tiny"), {"optim.generator_lr": 3e-5, "image_discriminator.channels": [8, 16]})
    assert config.optim.generator_lr == 3e-5
    assert config.image_discriminator.channels == (8, 16)
    (tmp_path / "config.toml").write_text(config_to_toml(config))
    assert load_config(str(tmp_path / "config.toml")) == config


def test_a_file_holds_only_what_it_changes(tmp_path):
    (tmp_path / "sea.toml").write_text('preset = "tiny"\n[loss]\nadversarial_video_weight = 0.5\n')
    expected = asdict(load_config("tiny"))
    expected["loss"]["adversarial_video_weight"] = 0.5
    assert asdict(load_config(str(tmp_path / "sea.toml"))) == expected


def test_a_whole_number_is_a_number_too():
    learning_rate = with_settings(Config(), {"optim.generator_lr": 1}).optim.generator_lr
    assert (learning_rate, type(learning_rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("name", "value", "code", "named"),
    [
        ("optim.generator_lrr", 1, "unknown_setting", "did you mean 'generator_lr'"),
        ("optimm.generator_lr", 1, "unknown_setting", "did you mean 'optim'"),
        ("optim", 1, "unknown_setting", "'optim.'"),
        ("optim.generator_lr", "fast", "wrong_type", "'fast'"),
        ("optim.generator_lr", -1, "out_of_range", "at least 0"),
        ("optim.generator_lr", float("nan"), "out_of_range", "nan"),
        ("optim.generator_lr", float("inf"), "out_of_range", "inf"),
        ("optim.beta1", 1.5, "out_of_range", "from 0 to 0.9999"),
        ("training.batch_size", 2.5, "wrong_type", "a whole number, at least 1"),
        ("training.batch_size", True, "wrong_type", "True"),
        ("training.compile", 1, "wrong_type", "true or false"),
        ("generator.output", "sigmoid", "wrong_type", "'tanh', 'residual'"),
        ("video_discriminator.channels", [8, 0], "out_of_range", "from 1 to 16384"),
        ("video_discriminator.channels", 8, "wrong_type", "a list of whole numbers"),
        ("video_discriminator.channels", [], "wrong_type", "[]"),
        ("clips.frame_rate", 30, "wrong_type", "text"),
        ("loss.adversarial_from", 0.5, "renamed_setting", "loss.discriminator_start"),
    ],
)
def test_wrong_settings_are_refused_by_name(name, value, code, named):
    with pytest.raises(UserError, match=name.partition(".")[0]) as caught:
        with_settings(Config(), {name: value})
    assert caught.value.code == code
    assert named in str(caught.value)


def test_unknown_presets_and_broken_files_are_refused(tmp_path):
    (tmp_path / "broken.toml").write_text("[loss\n")
    (tmp_path / "unknown.toml").write_text("[loss]\nweight = 1.0\n")
    (tmp_path / "preset.toml").write_text('preset = "huge"\n')
    (tmp_path / "value.toml").write_text("loss = 1\n")
    (tmp_path / "renamed.toml").write_text("[sound]\nwindow_frames = 2\n")
    for name, code in (
        ("huge", "not_found"),
        ("broken.toml", "damaged_toml"),
        ("unknown.toml", "unknown_setting"),
        ("preset.toml", "unknown_preset"),
        ("value.toml", "wrong_type"),
        ("renamed.toml", "renamed_setting"),
    ):
        with pytest.raises(UserError, match=name) as caught:
            load_config(str(tmp_path / name))
        assert caught.value.code == code


def test_what_version_0_1_wrote_loads_under_todays_names():
    old = asdict(Config())
    old["loss"]["adversarial_from"] = old["loss"].pop("discriminator_start") + 0.25
    old["sound"]["window_frames"] = old["sound"].pop("stft_window_frames") + 3
    config = config_from_dict(upgraded(old), "a checkpoint")
    assert (config.loss.discriminator_start, config.sound.stft_window_frames) == (0.25, 4)
    assert "adversarial_from" in old["loss"]  # as it was read
    assert upgraded(asdict(config)) == asdict(config)
