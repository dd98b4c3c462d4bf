/**
 * What an address says of itself, and how many of its first bits say it: those stay in a made-up one. `plain`: it says
 * nothing of anybody, and stays whole (loopback, unspecified, broadcast). `group`: multicast. `v4`: an IPv4 address is
 * in its last four bytes.
 */
export interface AddressClass {
  readonly kind: string;
  readonly kept: number;
}

const PLAIN: AddressClass = { kind: 'plain', kept: 0 };
const GROUP: AddressClass = { kind: 'group', kept: 0 };
const OTHER: AddressClass = { kind: 'other', kept: 0 };
const TEN: AddressClass = { kind: '10/8', kept: 8 };
const SHARED: AddressClass = { kind: '100.64/10', kept: 10 };
const LINK_LOCAL_4: AddressClass = { kind: '169.254/16', kept: 16 };
const HUNDRED_SEVENTY_TWO: AddressClass = { kind: '172.16/12', kept: 12 };
const HUNDRED_NINETY_TWO: AddressClass = { kind: '192.168/16', kept: 16 };
const RESERVED: AddressClass = { kind: '240/4', kept: 4 };

/** Of 4 bytes: private (RFC 1918), shared by carriers (RFC 6598), link-local (RFC 3927), and so on. */
export function classOf4(address: Uint8Array): AddressClass {
  const [first, second] = address as unknown as [number, number];
  if (first === 0 || first === 127) return PLAIN;
  if (first === 10) return TEN;
  if (first === 100 && second >>> 6 === 1) return SHARED;
  if (first === 169 && second === 254) return LINK_LOCAL_4;
  if (first === 172 && second >>> 4 === 1) return HUNDRED_SEVENTY_TWO;
  if (first === 192 && second === 168) return HUNDRED_NINETY_TWO;
  if (first < 224) return OTHER;
  if (first < 240) return GROUP;
  return address.every((byte) => byte === 255) ? PLAIN : RESERVED;
}

export const V4_AT_THE_END = 12;

/** Mapped, compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052, RFC 8215). */
const WITH_V4 = [
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0],
  [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0x64, 0xff, 0x9b, 0, 1, 0, 0, 0, 0, 0, 0],
];

const V4: AddressClass = { kind: 'v4', kept: 96 };
const NAT64: AddressClass = { kind: '64:ff9b:1::/48', kept: 48 };
const TEREDO: AddressClass = { kind: 'teredo', kept: 32 };
const SIX_TO_FOUR: AddressClass = { kind: '6to4', kept: 16 };
const GLOBAL: AddressClass = { kind: '2000::/3', kept: 3 };
const UNIQUE_LOCAL: AddressClass = { kind: 'fc00::/7', kept: 8 };
const LINK_LOCAL: AddressClass = { kind: 'fe80::/10', kept: 10 };
/** All that are in use are in fe80::/64 (RFC 4291, section 2.5.6). */
const LINK_LOCAL_64: AddressClass = { kind: 'fe80::/10', kept: 64 };
const SITE_LOCAL: AddressClass = { kind: 'fec0::/10', kept: 10 };

/** Of 16 bytes. */
export function classOf6(address: Uint8Array): AddressClass {
  const [first, second, third, fourth] = address as unknown as [number, number, number, number];
  if (first === 0xff) return GROUP;
  if (first === 0) {
    if (address.subarray(0, 15).every((byte) => byte === 0)) return PLAIN;
    if (WITH_V4.some((prefix) => prefix.every((byte, at) => address[at] === byte))) return V4;
    const isLocal =
      second === 0x64 && third === 0xff && fourth === 0x9b && address[4] === 0 && address[5] === 1;
    return isLocal ? NAT64 : OTHER;
  }
  if (first === 0x20 && second === 2) return SIX_TO_FOUR;
  if (first === 0x20 && second === 1 && third === 0 && fourth === 0) return TEREDO;
  if (first >>> 5 === 1) return GLOBAL;
  if (first >>> 1 === 0x7e) return UNIQUE_LOCAL;
  if (first !== 0xfe || second < 0x80) return OTHER;
  if (second >= 0xc0) return SITE_LOCAL;
  return second === 0x80 && address.subarray(2, 8).every((byte) => byte === 0) ? LINK_LOCAL_64 : LINK_LOCAL;
}

/** RFC 5214, section 6.1: 0000:5efe or 0200:5efe before an IPv4 address. */
export const isIsatap = (address: Uint8Array): boolean =>
  (address[8]! & 0xfd) === 0 && address[9] === 0 && address[10] === 0x5e && address[11] === 0xfe;

/** RFC 4291, appendix A: a link address with ff:fe in its middle. */
export const hasLinkAddress = (address: Uint8Array): boolean =>
  address[11] === 0xff && address[12] === 0xfe && !(address[8]! & 1);
