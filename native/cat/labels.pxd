# Generated from the claim table of token/cat (python -m cat.cython).

cdef enum:  # labels, CTA-5007-B
    CATV = 310  # 4.6.1
    NBF = 5  # 4.6.4
    EXP = 4  # 4.6.3
    ISS = 1  # RFC 8392 3.1.1
    AUD = 3  # RFC 8392 3.1.3
    SUB = 2  # RFC 8392 3.1.2
    CATM = 313  # 4.6.11
    CATU = 312  # 4.6.10
    CATALPN = 314  # 4.6.12
    CATH = 315  # 4.6.13
    CATNIP = 311  # 4.6.9
    GEOHASH = 282  # 4.6.17
    CATGEOISO3166 = 316  # 4.6.14
    CATGEOCOORD = 317  # 4.6.15
    CATGEOALT = 318  # 4.6.16
    CATTPK = 319  # 4.6.18
    CNF = 8  # 4.8.1
    CATDPOP = 321  # 4.8.2
    CATPOR = 309  # 4.6.7
    CATREPLAY = 308  # 4.6.8
    IAT = 6  # 4.7.2
    CTI = 7  # 4.7.3
    CATIFDATA = 320  # 4.9.2
    CATIF = 322  # 4.9.1
    CATR = 323  # 4.9.3

cdef enum:  # components of a URI, CAT-41
    AT_SCHEME = 0
    AT_HOST = 1
    AT_PORT = 2
    AT_PATH = 3
    AT_QUERY = 4
    AT_PARENT_PATH = 5
    AT_FILENAME = 6
    AT_STEM = 7
    AT_EXTENSION = 8

cdef enum:  # match types, CAT-40
    EXACT_MATCH = 0
    PREFIX_MATCH = 1
    SUFFIX_MATCH = 2
    CONTAINS_MATCH = 3
    REGEX_MATCH = 4

cdef inline bint is_contested(long long label) noexcept:  # CAT-63
    return 41 <= label <= 45 or 324 <= label <= 328 or 401 <= label <= 404
