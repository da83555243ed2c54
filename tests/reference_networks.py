"""Tiny networks with other programs' names, each written from its description alone."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, pixel_shuffle, pixel_unshuffle


def conv(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=bias)


def varied(network: nn.Module) -> nn.Module:
    """Lively weights, biases, slopes and statistics instead of initial ones."""
    torch.manual_seed(1)
    for name, values in network.state_dict().items():
        if name.endswith("running_var"):
            nn.init.uniform_(values, 0.5, 2.0)
        elif values.is_floating_point():
            inputs = values[0].numel() if values.dim() == 4 else 4
            nn.init.normal_(values, std=(1.5 / inputs) ** 0.5)
    return network.eval()


class Shortcut(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.sub = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sub(x)


class Dense(nn.Module):
    """`nested`: each convolution is the first of a sequence, as in 2018."""

    def __init__(self, features: int, growth: int, nested: bool) -> None:
        super().__init__()
        for i in range(5):
            layer = conv(features + i * growth, growth if i < 4 else features)
            self.add_module(f"conv{i + 1}", nn.Sequential(layer) if nested else layer)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for i in range(4):
            layer = getattr(self, f"conv{i + 1}")
            outputs.append(leaky_relu(layer(torch.cat(outputs, 1)), 0.2))
        return self.conv5(torch.cat(outputs, 1)) * 0.2 + x


class Residual(nn.Module):
    def __init__(self, features: int, growth: int, prefix: str, nested: bool = False) -> None:
        super().__init__()
        for i in range(3):
            self.add_module(f"{prefix}{i + 1}", Dense(features, growth, nested))

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for part in self.children():
            out = part(out)
        return out * 0.2 + x


class OldestRRDB(nn.Module):
    def __init__(self, blocks: int, features: int, growth: int, ups: int) -> None:
        super().__init__()
        trunk = [Residual(features, growth, "RDB", nested=True) for _ in range(blocks)]
        layers: list[nn.Module] = [conv(3, features), Shortcut(*trunk, conv(features, features))]
        for _ in range(ups):
            layers += [nn.Upsample(scale_factor=2), conv(features, features), nn.LeakyReLU(0.2)]
        layers += [conv(features, features), nn.LeakyReLU(0.2), conv(features, 3)]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


RRDB_NAMES = {
    "published": ("RRDB_trunk", "RDB", "trunk_conv", "upconv", "HRconv"),
    "real-esrgan": ("body", "rdb", "conv_body", "conv_up", "conv_hr"),
}


class RRDBReference(nn.Module):
    """Always enlarges twice behind its input."""

    def __init__(
        self, naming: str, blocks: int, features: int, growth: int, unshuffle: int = 1
    ) -> None:
        super().__init__()
        body, dense, trunk, up, late = self.names = RRDB_NAMES[naming]
        self.unshuffle = unshuffle
        self.conv_first = conv(3 * unshuffle**2, features)
        blocks_ = (Residual(features, growth, dense) for _ in range(blocks))
        self.add_module(body, nn.Sequential(*blocks_))
        for name in (trunk, f"{up}1", f"{up}2", late):
            self.add_module(name, conv(features, features))
        self.conv_last = conv(features, 3)

    def forward(self, x: Tensor) -> Tensor:
        body, _, trunk, up, late = (getattr(self, name, name) for name in self.names)
        x = pixel_unshuffle(x, self.unshuffle) if self.unshuffle > 1 else x
        features = self.conv_first(x)
        features = features + trunk(body(features))
        for i in (1, 2):
            wide = interpolate(features, scale_factor=2, mode="nearest")
            features = leaky_relu(getattr(self, f"{up}{i}")(wide), 0.2)
        return self.conv_last(leaky_relu(late(features), 0.2))


class CompactReference(nn.Module):
    """`slope` None: PReLU; else that of a (leaky) ReLU."""

    def __init__(self, features: int, convolutions: int, scale: int, slope: float | None = None):
        super().__init__()
        self.scale = scale
        self.body = nn.ModuleList()
        for i in range(convolutions + 1):
            self.body.append(conv(features if i else 3, features))
            self.body.append(nn.PReLU(features) if slope is None else nn.LeakyReLU(slope))
        self.body.append(conv(features, 3 * scale**2))

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for layer in self.body:
            out = layer(out)
        return pixel_shuffle(out, self.scale) + interpolate(x, scale_factor=self.scale)


class NormedBlock(nn.Module):
    def __init__(self, n: int, bias: bool) -> None:
        super().__init__()
        layers = [conv(n, n, bias=bias), nn.BatchNorm2d(n), nn.PReLU()]
        self.rcb = nn.Sequential(*layers, conv(n, n, bias=bias), nn.BatchNorm2d(n))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.rcb(x)


class Upsample(nn.Module):
    def __init__(self, n: int, step: int) -> None:
        super().__init__()
        shuffle = nn.PixelShuffle(step)
        self.upsample_block = nn.Sequential(conv(n, n * step * step), shuffle, nn.PReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.upsample_block(x)


class PaperReference(nn.Module):
    def __init__(self, n: int, blocks: int, steps: list[int], bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(conv(3, n, 9), nn.PReLU())
        self.trunk = nn.Sequential(*(NormedBlock(n, bias) for _ in range(blocks)))
        self.conv2 = nn.Sequential(conv(n, n, bias=bias), nn.BatchNorm2d(n))
        self.upsampling = nn.Sequential(*(Upsample(n, step) for step in steps))
        self.conv3 = conv(n, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        early = self.conv1(x)
        return self.conv3(self.upsampling(early + self.conv2(self.trunk(early))))


class LeftthomasBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.prelu = conv(n, n), nn.BatchNorm2d(n), nn.PReLU()
        self.conv2, self.bn2 = conv(n, n), nn.BatchNorm2d(n)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class LeftthomasUp(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv, self.prelu = conv(n, 4 * n), nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(pixel_shuffle(self.conv(x), 2))


class LeftthomasReference(nn.Module):
    """`old`: of 2018."""

    def __init__(self, n: int, blocks: int, ups: int, old: bool) -> None:
        super().__init__()
        end = nn.Sequential(conv(n, n), nn.PReLU() if old else nn.BatchNorm2d(n))
        tail = nn.Sequential(*(LeftthomasUp(n) for _ in range(ups)), conv(n, 3, 9))
        parts = [nn.Sequential(conv(3, n, 9), nn.PReLU())]
        parts += [*(LeftthomasBlock(n) for _ in range(blocks)), end, tail]
        for i, part in enumerate(parts, 1):
            self.add_module(f"block{i}", part)

    def forward(self, x: Tensor) -> Tensor:
        first, *middle, tail = self.children()
        early = out = first(x)
        for part in middle:
            out = part(out)
        return (torch.tanh(tail(early + out)) + 1) / 2


class PlainBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(n, n), conv(n, n)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(torch.relu(self.conv1(x)))


class MSRReference(nn.Module):
    def __init__(self, naming: str, n: int, blocks: int, steps: list[int]) -> None:
        super().__init__()
        self.names = {"basicsr": ("body", "conv_hr"), "older": ("recon_trunk", "HRconv")}[naming]
        self.steps = steps
        self.conv_first = conv(3, n)
        self.add_module(self.names[0], nn.Sequential(*(PlainBlock(n) for _ in range(blocks))))
        for i, step in enumerate(steps, 1):
            self.add_module(f"upconv{i}", conv(n, n * step * step))
        self.add_module(self.names[1], conv(n, n))
        self.conv_last = conv(n, 3)

    def forward(self, x: Tensor) -> Tensor:
        body, late = (getattr(self, name) for name in self.names)
        out, scale = body(leaky_relu(self.conv_first(x), 0.1)), 1
        for i, step in enumerate(self.steps, 1):
            out = leaky_relu(pixel_shuffle(getattr(self, f"upconv{i}")(out), step), 0.1)
            scale *= step
        base = interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
        return self.conv_last(leaky_relu(late(out), 0.1)) + base


class EarlyBlock(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.res = nn.Sequential(conv(n, n), nn.ReLU(), conv(n, n))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res(x)


class EarlyReference(nn.Module):
    def __init__(
        self, n: int, blocks: int, steps: list[int], nearest: bool = False, last_bias: bool = True
    ) -> None:
        super().__init__()
        trunk = (EarlyBlock(n) for _ in range(blocks))
        layers: list[nn.Module] = [conv(3, n), Shortcut(*trunk, conv(n, n))]
        for step in steps:
            if nearest:
                layers += [nn.Upsample(scale_factor=step), conv(n, n), nn.ReLU()]
            else:
                layers += [conv(n, n * step * step), nn.PixelShuffle(step), nn.ReLU()]
        layers += [conv(n, n), nn.ReLU(), conv(n, 3, bias=last_bias)]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class SRCNNReference(nn.Module):
    """On luma that is enlarged already."""

    def __init__(self, n1: int, n2: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = conv(1, n1, 9), conv(n1, n2, 5), conv(n2, 1, 5)

    def forward(self, y: Tensor) -> Tensor:
        return self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(y)))))


class Unit(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv = conv(n, n, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x))


class VDSRReference(nn.Module):
    """On luma that is enlarged already; what it predicts is the residual."""

    def __init__(self, n: int, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(conv(1, n, bias=False), nn.ReLU())
        self.trunk = nn.Sequential(*(Unit(n) for _ in range(depth - 2)))
        self.conv2 = conv(n, 1, bias=False)

    def forward(self, y: Tensor) -> Tensor:
        return self.conv2(self.trunk(self.conv1(y)))
