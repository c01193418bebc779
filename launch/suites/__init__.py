"""What `launch.bench` measures: one module for each suite."""
