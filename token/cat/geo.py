"""Places: great circles, geohashes and region codes of the catgeo claims (CAT section 3)."""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1 (IUGG)
GEOHASH_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance by the haversine formula."""
    half_lat, half_lon = radians(lat2 - lat1) / 2, radians(lon2 - lon1) / 2
    h = sin(half_lat) ** 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(1.0, h)))


def geohash(lat: float, lon: float, length: int) -> str:
    """Longitude and latitude bits interleaved, five bits a character."""
    ranges = [[-180.0, 180.0], [-90.0, 90.0]]
    number = 0
    for bit in range(5 * length):
        span, value = ranges[bit % 2], (lon, lat)[bit % 2]
        middle = (span[0] + span[1]) / 2
        upper = value >= middle
        span[0 if upper else 1] = middle
        number = number << 1 | upper
    return "".join(
        GEOHASH_ALPHABET[number >> shift & 31] for shift in range(5 * length - 5, -1, -5)
    )


def in_region(client: str, entry: str) -> bool:
    """ "SE" takes every subdivision of SE; "US-CA" only itself; ASCII case does not count."""
    client, entry = client.upper(), entry.upper()
    return client == entry or client.partition("-")[0] == entry
