"""Warnings about a discriminator."""

from srgan_cli.training.callbacks import GanMonitor


def follow(accuracy: float, steps: int = 2000) -> list[str]:
    monitor = GanMonitor()
    warnings = [monitor({"discriminator_accuracy": accuracy}) for _ in range(steps)]
    return [line for line in warnings if line is not None]


def test_a_discriminator_between_chance_and_certainty_is_not_warned_about() -> None:
    assert follow(0.7) == []
    assert follow(0.97) == []
    assert GanMonitor()({"pixel": 1.0}) is None


def test_a_discriminator_that_is_always_right_is_warned_about_once() -> None:
    (line,) = follow(1.0)
    assert "always right" in line


def test_a_discriminator_at_chance_is_warned_about_after_300_steps() -> None:
    (line,) = follow(0.5)
    assert "at chance" in line
    assert follow(0.5, steps=299) == []
    assert len(follow(0.5, steps=300)) == 1
