"""Trajectories that a group already has: read, checked, stored as records of molecular dynamics,
and analysed as borarun's own runs are.

Readers (``lammps_dump``, ``extended_xyz``, ...) give one frame at a time. ``gathered`` unwraps them
and checks that they are one run. ``record`` makes the task and its result, ``analyse`` the study
that they belong to.
"""
