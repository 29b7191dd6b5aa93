"""How much of a clip's change is the whole frame shifting, as when a head or a hand-held camera moves?"""

import torch
from torch import Tensor
from torch.nn import functional

_SIZE = 32  # pixels a side: a few pixels of shift are little there, as a gradient wants


def frame_shift_errors(video_TCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Squared difference [T] of grey frames to the first one, and the part of it that one shift of each explains.

    The shift is the least-squares one of Lucas & Kanade (1981), from the mean gradient of the two frames.
    """
    grey_T1HW = functional.adaptive_avg_pool2d(video_TCHW.mean(1, keepdim=True), _SIZE)
    difference_TP = (grey_T1HW - grey_T1HW[:1])[:, 0, 1:-1, 1:-1].flatten(1)
    mean_THW = ((grey_T1HW + grey_T1HW[:1]) / 2)[:, 0]
    along_x = (mean_THW[:, 1:-1, 2:] - mean_THW[:, 1:-1, :-2]).flatten(1) / 2
    along_y = (mean_THW[:, 2:, 1:-1] - mean_THW[:, :-2, 1:-1]).flatten(1) / 2
    gradient_TP2 = torch.stack([along_x, along_y], 2)
    against_T2 = torch.einsum("tp,tpc->tc", difference_TP, gradient_TP2)
    normal_T22 = gradient_TP2.transpose(1, 2) @ gradient_TP2 + 1e-6 * torch.eye(2)
    shift_T2 = torch.linalg.solve(normal_T22, against_T2)
    total_T = difference_TP.square().sum(1)
    return total_T, torch.minimum((shift_T2 * against_T2).sum(1), total_T)
