"""The flagship's network reimplemented in PyTorch, and exported as its authors did: opset 10, batch
normalizations not folded, decoding and NMS in the graph. It shares no code with the package's own builder."""

from __future__ import annotations

import io
import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: its export is not tested")
nn = torch.nn

EXTRAS = (
    (256, 256, 512, 2, 1),
    (512, 256, 512, 2, 1),
    (512, 128, 256, 2, 1),
    (256, 128, 256, 2, 0),
    (256, 128, 256, 1, 0),
)
CHANNELS = (256, 512, 512, 256, 256, 256)
PER_CELL = (4, 6, 6, 6, 4, 4)
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
SCALES = [value * 4 for value in (21, 45, 99, 153, 207, 261, 315)]  # of 1200


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = None
        if before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Suppress(torch.autograd.Function):
    """Placeholder for the ONNX operator; PyTorch itself never runs it."""

    @staticmethod
    def forward(ctx, boxes, scores):
        return torch.stack([torch.zeros(3, dtype=torch.int64), torch.arange(3), torch.arange(3)], 1)

    @staticmethod
    def symbolic(g, boxes, scores):
        limits = [torch.tensor([200]), torch.tensor([0.5]), torch.tensor([0.05])]
        return g.op("NonMaxSuppression", boxes, scores, *(g.op("Constant", value_t=limit) for limit in limits))


class SSD(nn.Module):
    def __init__(self, size: int, classes: int = 81, nms: bool = True) -> None:
        super().__init__()
        self.classes, self.nms = classes, nms
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        stages, before = [], 64
        for blocks, channels, stride in ((3, 64, 1), (4, 128, 2), (6, 256, 1)):
            stages += [Block(before if i == 0 else channels, channels, stride if i == 0 else 1) for i in range(blocks)]
            before = channels
        self.stages = nn.Sequential(*stages)
        self.extras = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 1), nn.ReLU(), nn.Conv2d(b, c, 3, stride, pad), nn.ReLU())
            for a, b, c, stride, pad in EXTRAS
        )
        heads = list(zip(CHANNELS, PER_CELL, strict=True))
        self.conf = nn.ModuleList(nn.Conv2d(c, classes * k, 3, 3, 1) for c, k in heads)  # before loc, unlike elsewhere
        self.loc = nn.ModuleList(nn.Conv2d(c, 4 * k, 3, 3, 1) for c, k in heads)
        self.register_buffer("default_boxes", torch.from_numpy(default_boxes(size)))

    def forward(self, image):
        maps = [self.stages(self.pool(self.stem(image)))]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        conf = torch.cat([h(m).view(m.shape[0], self.classes, -1) for h, m in zip(self.conf, maps, strict=True)], 2)
        loc = torch.cat([h(m).view(m.shape[0], 4, -1) for h, m in zip(self.loc, maps, strict=True)], 2)
        if not self.nms:
            return loc, conf
        offsets, probability = loc.permute(0, 2, 1), conf.permute(0, 2, 1).softmax(-1)
        center = offsets[:, :, :2] * 0.1 * self.default_boxes[:, 2:] + self.default_boxes[:, :2]
        extent = (offsets[:, :, 2:] * 0.2).exp() * self.default_boxes[:, 2:]
        left, top = (center - extent / 2).unbind(-1)
        right, bottom = (center + extent / 2).unbind(-1)
        boxes = torch.stack([left, top, right, bottom], -1)
        scores = probability.permute(0, 2, 1)[:, 1:]
        kept = Suppress.apply(boxes, scores)
        best = scores[0][kept[:, 1], kept[:, 2]]
        best, order = best.sort(0, descending=True)
        order, best = order[:200], best[:200]
        bboxes = boxes[0].index_select(0, kept[:, 2].index_select(0, order))
        labels = kept[:, 1].index_select(0, order) + 1
        return labels.unsqueeze(0), bboxes.unsqueeze(0), best.unsqueeze(0)


def default_boxes(size: int) -> np.ndarray:
    side, sides = size, []
    for _ in range(3):
        side = -(-side // 2)
    sides = [side]
    for _ in range(3):
        sides.append(-(-sides[-1] // 2))
    sides += [(sides[-1] - 3) // 2 + 1]
    sides += [sides[-1] - 2]
    rows = []
    for side, ratios, this, following in zip(sides, RATIOS, SCALES, SCALES[1:], strict=False):
        grid = -(-side // 3)
        cells = size // (size // grid)
        small, large = this / 1200, following / 1200
        shapes = [(small, small), (math.sqrt(small * large), math.sqrt(small * large))]
        for ratio in ratios:
            shapes += [(small * ratio**0.5, small / ratio**0.5), (small / ratio**0.5, small * ratio**0.5)]
        for width, height in shapes:
            rows += [((c + 0.5) / cells, (r + 0.5) / cells, width, height) for r in range(grid) for c in range(grid)]
    return np.clip(np.array(rows), 0, 1).astype(np.float32)


def network(seed: int, size: int, classes: int = 81, nms: bool = True) -> SSD:
    """Returns a network with random weights: activations do not vanish, and logits differ enough for detections."""
    torch.manual_seed(seed)
    ssd = SSD(size, classes, nms).eval()
    for name, module in ssd.named_modules():
        if isinstance(module, nn.Conv2d):
            head = name.startswith(("conf.", "loc."))
            gain = 0.5 if name.startswith("loc.") else 0.3 if head else 2.0
            fan_in = module.in_channels * module.kernel_size[0] ** 2
            nn.init.normal_(module.weight, std=math.sqrt(gain / fan_in))
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1 if head else 0.05)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 0.4 if name.endswith("bn2") else 1.0, 0.05)
            nn.init.normal_(module.bias, 0.0, 0.05)
            nn.init.normal_(module.running_mean, 0.0, 0.05)
            nn.init.uniform_(module.running_var, 0.8, 1.25)
    return ssd


def exported(ssd: SSD, size: int, opset: int = 10) -> bytes:
    """The published interface, from PyTorch's TorchScript exporter."""
    names = ["labels", "bboxes", "scores"] if ssd.nms else ["raw_loc", "raw_conf"]
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ssd,
            (torch.zeros(1, 3, size, size),),
            data,
            dynamo=False,
            opset_version=opset,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=["image"],
            output_names=names,
        )
    return data.getvalue()
