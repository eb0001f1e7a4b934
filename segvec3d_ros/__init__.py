"""ROS 2 interface of SegVec3D: each callback converts messages, calls the core once and publishes."""
