"""Common Media Client Data, v1 and v2 (CTA-5004-B): read, write and judge records, no sockets."""
