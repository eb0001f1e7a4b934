"""Inference on the CPU: networks as arrays, numpy and fused kernels, without torch, which takes seconds to import.

``network``, ``grouping_network`` and ``alignment`` have the same networks as torch modules, for training and for GPUs.
"""
