"""Rules: what operators want for some content, tenants, regions and devices (routing RT-10)."""
