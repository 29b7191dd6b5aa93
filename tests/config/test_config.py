"""Settings: strict, complete, and the paper's where the paper gives numbers."""

from dataclasses import asdict

import pytest

from s2v_ray.config import Config, config_to_toml, load_config, override
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


@pytest.mark.parametrize("preset", ["paper", "stable", "tiny"])
def test_both_adversarial_weights_are_above_zero(preset):
    loss = load_config(preset).loss
    assert loss.adversarial_image_weight > 0
    assert loss.adversarial_video_weight > 0


def test_a_written_configuration_loads_as_the_same(tmp_path):
    config = load_config("tiny", {"optim.generator-lr": "3e-5", "image-discriminator.channels": "[8, 16]"})
    assert config.optim.generator_lr == 3e-5
    assert config.image_discriminator.channels == (8, 16)
    (tmp_path / "config.toml").write_text(config_to_toml(config))
    assert load_config(str(tmp_path / "config.toml")) == config


def test_a_file_holds_only_what_it_changes(tmp_path):
    (tmp_path / "sea.toml").write_text('preset = "tiny"\n[loss]\nadversarial_video_weight = 0.5\n')
    expected = asdict(load_config("tiny"))
    expected["loss"]["adversarial_video_weight"] = 0.5
    assert asdict(load_config(str(tmp_path / "sea.toml"))) == expected


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("optim.generator-lrr", "1", "did you mean 'generator_lr'"),
        ("optimm.generator-lr", "1", "did you mean 'optim'"),
        ("optim.generator-lr", "fast", "must be a number"),
        ("optim.generator-lr", "-1", "at least 0"),
        ("optim.generator-lr", "nan", "at least 0"),
        ("optim.beta1", "1.5", "at most 0.9999"),
        ("training.batch-size", "2.5", "a whole number"),
        ("training.batch-size", "true", "a whole number"),
        ("training.compile", "1", "true or false"),
        ("generator.output", "sigmoid", "'tanh', 'residual'"),
        ("video_discriminator.channels", "[8, 0]", "at least 1"),
        ("video_discriminator.channels", "8", "a list of whole numbers"),
    ],
)
def test_wrong_settings_are_refused_by_name(name, value, told):
    with pytest.raises(UserError, match="--") as caught:
        override(Config(), name, value)
    assert told in str(caught.value)


def test_unknown_presets_and_broken_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="neither a preset"):
        load_config("huge")
    (tmp_path / "broken.toml").write_text("[loss\n")
    with pytest.raises(UserError, match="not a TOML file"):
        load_config(str(tmp_path / "broken.toml"))
    (tmp_path / "unknown.toml").write_text("[loss]\nweight = 1.0\n")
    with pytest.raises(UserError, match=r"no setting 'loss\.weight'"):
        load_config(str(tmp_path / "unknown.toml"))


@pytest.mark.parametrize("text", ["25", '"25"', "30000/1001"])
def test_a_text_may_look_like_a_number(text):
    assert override(Config(), "clips.frame-rate", text).clips.frame_rate == text.strip('"')
