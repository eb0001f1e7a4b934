"""The ROS 2 face of SegVec3D: callbacks convert, call the core once, publish."""
