"""The arithmetic of `grabcut`: pixels of the backdrop, pixels of the subject, and the soft edge between them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV's annotations know no element types.
Mask = NDArray[Any]
"""uint8, 0 or 1."""
Floats = NDArray[Any]
"""float32."""
Picture = NDArray[Any]
"""uint8, height x width x RGB."""
Flags = NDArray[np.bool_]

_CROSS = np.ones((3, 3), np.uint8)

_SMOOTH_LAB = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
"""Steps in CIE Lab per px below which a surface counts as smooth; the first that fits the picture's border is taken.
Studio paper passes at 0.7, its soft shadow at twice that; a white product on white paper has edges from about 1."""

_PLAIN_LAB = 1.4
"""Limit above which a backdrop is too rough for studio paper: then colour decides, not smoothness."""

_HOLE_LAB = 1.8
"""Distance from the backdrop's colour up to which an enclosed area is a hole in the subject (a handle), not part of it.
Paper behind handles was within 1.2, white print and linings 2.8 or more from white paper."""


def subject(picture: Picture) -> Mask | None:
    """
    Return 1 for the subject, 0 elsewhere; None if there is no subject.

    Args:
        picture: RGB, height x width x 3, about 384 px long: thresholds are per pixel at that size.
    """
    height, width = picture.shape[:2]
    soft = cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32) / 255
    lab: Floats = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)
    band = max(2, round(0.02 * min(height, width)))
    ring = np.ones((height, width), bool)
    ring[band:-band, band:-band] = False

    smooth, shut, rough_at = _smooth_areas(lab, ring)
    backdrop = smooth == 1
    if np.count_nonzero(~backdrop) < 0.002 * backdrop.size:
        return None
    clear = cv2.erode(backdrop.astype(np.uint8), _CROSS, borderValue=1)
    if np.count_nonzero(clear) < 0.02 * clear.size:
        return _without_crumbs(_by_colour(picture, lab, np.zeros_like(clear), ring))
    paper = _paper(lab, clear)
    marks = _marks(soft, lab - paper, paper, smooth, shut)
    mask = _flood(lab, marks) if (marks == 2).any() else np.zeros_like(clear)
    if rough_at > _PLAIN_LAB:
        return _without_crumbs(_by_colour(picture, lab, mask, ring))
    if mask.any():
        # A stripe in the paper's colour would split the subject; it is narrow, and nothing marks it as paper.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
        whole = np.where(marks == 0, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc), mask)
        mask = _tidy_edge(lab - paper, whole)
    return _without_crumbs(mask, marks == 1)


def _smooth_areas(lab: Floats, ring: Flags) -> tuple[NDArray[np.int32], Flags, float]:
    """
    Label areas without edges.

    Returns:
        labels: 1 for all that reaches the border, 2 and up for enclosed areas, 0 for edges.
        shut: areas that stay enclosed even if edges twice as sharp are crossed, like those of a soft shadow.
        level: the value of `_SMOOTH_LAB` that fits the border.
    """
    slope = np.sqrt(
        sum((cv2.Sobel(lab, cv2.CV_32F, dx, dy, scale=0.125) ** 2).sum(axis=-1) for dx, dy in ((1, 0), (0, 1)))
    )
    for level in _SMOOTH_LAB:
        labels, outer = _areas(slope < level, ring)
        if outer[labels][ring].mean() >= 0.97:
            break
    wide, open_wide = _areas(slope < max(2 * level, 2.0), ring)
    names = np.cumsum(~outer).astype(np.int32)  # index 0 is the edges, so that enclosed areas begin at 2
    names[outer] = 1
    names[0] = 0
    return names[labels], ~open_wide[wide], level


def _areas(flat: Flags, ring: Flags) -> tuple[NDArray[np.int32], Flags]:
    """Return labels of connected areas, 0 for none, and for each label True if it reaches the border."""
    count, labels = cv2.connectedComponents(
        cv2.morphologyEx(flat.astype(np.uint8), cv2.MORPH_OPEN, _CROSS), connectivity=4
    )
    outer = np.zeros(count, bool)
    outer[np.unique(labels[ring])] = True
    outer[0] = False
    return np.asarray(labels, np.int32), outer


def _paper(lab: Floats, backdrop: Mask) -> Floats:
    """Estimate the backdrop without the subject: light falls off smoothly, so a polynomial fits it."""
    up, across = (np.vander(np.linspace(-1, 1, length), 5, increasing=True) for length in backdrop.shape)
    orders = [(i, j) for i in range(5) for j in range(5 - i)]
    rows, cols = np.nonzero(backdrop)
    every = max(1, len(rows) // 2000)
    rows, cols = rows[::every], cols[::every]
    terms = np.stack([up[rows, i] * across[cols, j] for i, j in orders], axis=1)
    colours = lab[rows, cols]
    near = np.ones(len(rows), bool)
    ridge = 1e-6 * len(rows) * np.eye(len(orders))
    for _ in range(3):  # shadows on the paper are not the paper
        # Normal equations by einsum: BLAS would start a thread per core for this, and leave them spinning.
        square = np.einsum("ni,nj->ij", terms[near], terms[near]) + ridge
        factors = np.linalg.solve(square, np.einsum("ni,nj->ij", terms[near], colours[near]))
        off = np.linalg.norm(colours - terms @ factors, axis=1)
        near = off <= max(1.5, 2.5 * float(np.median(off)))
    grid = np.zeros((3, 5, 5))
    for (i, j), factor in zip(orders, factors, strict=True):
        grid[:, i, j] = factor
    spread = np.einsum("yjc,xj->yxc", np.einsum("yi,cij->yjc", up, grid), across)
    return np.asarray(np.clip(spread, colours.min(axis=0) - 2, colours.max(axis=0) + 2), np.float32)


def _marks(soft: Floats, offset: Floats, paper: Floats, smooth: NDArray[np.int32], shut: Flags) -> NDArray[np.int32]:
    """Mark certain backdrop with 1, certain subject with 2, and the unknown area between them with 0."""
    far = np.linalg.norm(offset, axis=-1)
    lit = np.maximum(cv2.cvtColor(paper, cv2.COLOR_LAB2RGB), 0.14)
    dimmed = (soft / lit) ** 2  # about linear light
    low, high = dimmed.min(axis=-1), dimmed.max(axis=-1)
    shadow = (high < 1.03) & (low > 0.12) & (high - low < 0.10 * np.sqrt(high))

    areas = smooth.ravel()
    size = np.maximum(np.bincount(areas), 1)
    mean_far = np.bincount(areas, far.ravel()) / size
    in_shadow = np.bincount(areas, (shadow & ~shut).ravel()) / size
    body = areas.size - size[1]
    kind = np.zeros(len(size), np.int32)
    kind[(mean_far < _HOLE_LAB) & (size > 0.004 * body)] = 1
    kind[(mean_far >= _HOLE_LAB) & ((in_shadow < 0.5) | (size > 0.03 * body))] = 2
    kind[:2] = 0, 1
    marks = kind[smooth]
    inside = cv2.erode((smooth != 1).astype(np.uint8), _CROSS) > 0
    # Next to its foot a shadow is steep too, but then it is dark.
    walled = cv2.erode(shut.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    own = ((far > 20) & ~shadow) | (walled & (far > 10) & (low > 0.6))
    marks[(marks == 0) & inside & own] = 2
    marks[[0, -1], :] = marks[:, [0, -1]] = 1
    return marks


def _flood(lab: Floats, marks: NDArray[np.int32]) -> Mask:
    """Grow both sides from their marks; they meet at the sharpest edge, so a shadow stays with the backdrop."""
    relief = np.clip(lab * (2.55, 2, 2) + (0, 128, 128), 0, 255).astype(np.uint8)
    sides = cv2.watershed(relief, marks.copy())
    mask: Mask = np.asarray(sides == 2, np.uint8)
    seam = sides == -1
    seam[[0, -1], :] = seam[:, [0, -1]] = False
    mask[seam & (cv2.blur(mask.astype(np.float32), (3, 3)) > 0.3)] = 1
    return mask


def _tidy_edge(offset: Floats, mask: Mask) -> Mask:
    """Run GrabCut in a band along the outline, on the difference from the paper."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    trimap = np.where(mask > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[cv2.erode(mask, disc) > 0] = cv2.GC_FGD
    trimap[cv2.dilate(mask, disc) == 0] = cv2.GC_BGD
    return _grabcut(np.clip(offset * 1.5 + 128, 0, 255).astype(np.uint8), trimap, rounds=2)


def _by_colour(picture: Picture, lab: Floats, mask: Mask, ring: Flags) -> Mask:
    """Run GrabCut on the whole picture, from pixels unlike the commonest colours of the border, and from `mask`."""
    border = lab[ring][::3]
    _, _, common = cv2.kmeans(border, 4, np.zeros(len(border), np.int32), (3, 12, 0.5), 1, cv2.KMEANS_PP_CENTERS)
    # A darker pixel counts half as much as a lighter one or another hue: it may be shadow.
    difference = lab[..., None, :] - common
    difference[..., 0] *= np.where(difference[..., 0] < 0, 0.4, 1.0)
    unlike = np.sqrt((difference**2 * (1, 1.7, 1.7)).sum(axis=-1)).min(axis=-1)
    scaled = np.clip(unlike * 4, 0, 255).astype(np.uint8)
    split, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_OTSU)
    likely = cv2.morphologyEx((scaled > max(split, 24)).astype(np.uint8), cv2.MORPH_OPEN, _CROSS) | mask
    trimap = np.where(likely > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[ring] = cv2.GC_BGD
    return _grabcut(picture, trimap, rounds=3) if likely[~ring].any() else np.zeros_like(mask)


def _grabcut(image: Picture, trimap: Mask, rounds: int) -> Mask:
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(image), trimap, (0, 0, 0, 0), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _without_crumbs(mask: Mask, backdrop: Flags | None = None) -> Mask | None:
    """Drop pieces smaller than 5 % of the largest; fill holes that show no `backdrop`, or are smaller than 0.1 %."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    sizes = stats[:, cv2.CC_STAT_AREA]
    keep = sizes >= 0.05 * sizes[1:].max()
    keep[0] = False
    whole: Mask = keep[labels].astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - whole, connectivity=4)
    hollow = stats[:, cv2.CC_STAT_AREA] < 0.001 * np.count_nonzero(whole)
    if backdrop is not None:
        hollow |= np.bincount(labels[backdrop], minlength=len(stats)) == 0
    hollow[0] = False
    whole[hollow[labels]] = 1
    return whole


def edge_model(mask: Mask, picture: Picture, radius: int = 3, smoothness: float = 1e-4) -> Floats:
    """
    Compute a guided filter (He, Sun, Tang, 2010) with the picture as its guide, without applying it.

    Returns:
        Height x width x 4: alpha is R, G, B (0 to 1) times the first three, plus the fourth. Holds for the same
        picture at any size, so that a small mask follows the edges of a large picture.
    """
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Any) -> Floats:
        return np.asarray(cv2.boxFilter(values, -1, size, borderType=cv2.BORDER_REFLECT), np.float32)

    guide, target = picture.astype(np.float32) / 255, mask.astype(np.float32)
    mean_guide, mean_target = mean(guide), mean(target)
    edge = (mean_target > 0.001) & (mean_target < 0.999)
    pairs = (guide[..., :, None] * guide[..., None, :]).reshape(*mask.shape, 9)
    centre = mean_guide[edge]
    spread = mean(pairs)[edge].reshape(-1, 3, 3) - centre[:, :, None] * centre[:, None, :]
    shared = mean(guide * target[..., None])[edge] - centre * mean_target[edge, None]
    slope = np.linalg.solve(spread + smoothness * np.eye(3, dtype=np.float32), shared[..., None])[..., 0]
    model = np.zeros((*mask.shape, 4), np.float32)
    model[..., 3] = mean_target
    model[edge, :3] = slope
    model[edge, 3] -= (slope * centre).sum(axis=-1)
    return mean(model)


def apply_edges(model: Floats, rows: Picture, first: int, height: int) -> Mask:
    """
    Compute the alpha, 0 to 255, of some rows of the full picture.

    Args:
        rows: RGB of the rows from `first` on.
        height: rows of the full picture.
    """
    across, down = model.shape[1] / rows.shape[1], model.shape[0] / height
    position = np.array([[across, 0, 0.5 * across - 0.5], [0, down, (first + 0.5) * down - 0.5]])
    size = (rows.shape[1], rows.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    spread = cv2.warpAffine(model, position, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    alpha = np.einsum("ijk,ijk->ij", spread[..., :3], rows, dtype=np.float32) / 255 + spread[..., 3]
    # The filter leaves a haze on both sides of the edge; half of its range holds the edge itself.
    return np.asarray(np.clip((alpha - 0.25) / 0.5 * 255 + 0.5, 0, 255), np.uint8)
