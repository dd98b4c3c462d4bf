/** LINKTYPE_ numbers of https://www.tcpdump.org/linktypes.html. */
const NULL = 0;
const ETHERNET = 1;
/** DLT_RAW as some systems wrote it. */
const RAW_DLT = 12;
const RAW_BSD = 14;
const RAW = 101;
const LOOP = 108;
const SLL = 113;
const IPV4 = 228;
const IPV6 = 229;
const SLL2 = 276;

/** ARPHRD_NETLINK. */
const NETLINK = 824;

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

/** What an Ethernet type would say of the protocols of PPP: IPv4, IPv6, MPLS (RFC 1332, 5072, 3032). */
const PPP_ETHERTYPES: Readonly<Record<number, number>> = {
  33: ETHERTYPE.ipv4,
  87: ETHERTYPE.ipv6,
  641: 0x8847,
  643: 0x8848,
};

/** What lies behind the link's header. Written over by the next frame. */
export interface Link {
  /** 0: nothing that is looked into. */
  ethertype: number;
  /** Where it begins. */
  at: number;
  /** Of the first 802.1Q tag; 0 without. */
  vlan: number;
}

/** Whether packets of this link type are looked into; of others only number, size and time are known. */
export const isKnownLink = (linkType: number): boolean =>
  [NULL, ETHERNET, RAW_DLT, RAW_BSD, RAW, LOOP, SLL, IPV4, IPV6, SLL2].includes(linkType);

/** Whether the capture was one of several interfaces at once, as tcpdump's `any`. */
export const isCooked = (linkType: number): boolean => linkType === SLL || linkType === SLL2;

/** Finds the network layer: behind the link's own header, VLAN tags, MPLS labels and PPPoE. */
export function openLink(bytes: Uint8Array, at: number, end: number, linkType: number, link: Link): void {
  link.ethertype = 0;
  link.at = at;
  link.vlan = 0;
  switch (linkType) {
    case ETHERNET:
      if (end - at >= 14) ether(bytes, at + 12, end, link);
      return;
    case SLL:
      if (end - at >= 16) cooked(bytes, half(bytes, at + 2), half(bytes, at + 14), at + 16, end, link);
      return;
    case SLL2:
      if (end - at >= 20) cooked(bytes, half(bytes, at + 8), half(bytes, at), at + 20, end, link);
      return;
    case NULL:
    case LOOP:
      if (end - at >= 4) family(bytes, at, linkType === LOOP, link);
      return;
    case RAW:
    case RAW_DLT:
    case RAW_BSD:
      version(bytes, at, end, link);
      return;
    case IPV4:
      link.ethertype = ETHERTYPE.ipv4;
      link.at = at;
      return;
    case IPV6:
      link.ethertype = ETHERTYPE.ipv6;
      link.at = at;
  }
}

const half = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

/**
 * Linux's own numbers stand where an Ethernet type would: 4 is 802.2. Netlink messages have no protocol at all
 * (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html).
 */
function cooked(
  bytes: Uint8Array,
  hardware: number,
  type: number,
  at: number,
  end: number,
  link: Link,
): void {
  link.at = at;
  if (hardware === NETLINK) return;
  if (type > 0x600) typed(bytes, type, at, end, link);
  else if (type === 4) logical(bytes, at, end, link);
}

/** From the place of an Ethernet type on. */
const ether = (bytes: Uint8Array, at: number, end: number, link: Link): void =>
  typed(bytes, half(bytes, at), at + 2, end, link);

/** What an Ethernet type says, with what stands behind it from `at` on. */
function typed(bytes: Uint8Array, given: number, at: number, end: number, link: Link): void {
  let type = given;
  let from = at;
  // 802.1Q, 802.1ad and its older number: four bytes each.
  while ((type === 0x8100 || type === 0x88a8 || type === 0x9100) && from + 4 <= end) {
    if (link.vlan === 0 && type !== 0x88a8) link.vlan = half(bytes, from) & 0xfff;
    type = half(bytes, from + 2);
    from += 4;
  }
  if (type === 0x8864 && from + 8 <= end) {
    // PPPoE (RFC 2516): six bytes, then the protocol of PPP, of one byte where that is odd (RFC 1661, section 6.5).
    const isShort = (bytes[from + 6]! & 1) === 1;
    const protocol = isShort ? bytes[from + 6]! : half(bytes, from + 6);
    type = PPP_ETHERTYPES[protocol] ?? 0;
    from += isShort ? 7 : 8;
  } else if (type <= 1500) {
    logical(bytes, from, end, link);
    return;
  }
  if (type === 0x8847 || type === 0x8848) {
    // MPLS labels, the last one marked (RFC 3032); what is behind says its version itself.
    while (from + 4 <= end && !(bytes[from + 2]! & 1)) from += 4;
    from += 4;
    version(bytes, from, end, link);
    return;
  }
  link.ethertype = type;
  link.at = from;
}

/** 802.2: SNAP with an Ethernet type (RFC 1042, 802.1H), or IP by its own service access point. */
function logical(bytes: Uint8Array, at: number, end: number, link: Link): void {
  link.at = at;
  if (end - at < 8 || bytes[at + 2] !== 3) return;
  const organisation = (bytes[at + 3]! << 16) | half(bytes, at + 4);
  if (half(bytes, at) === 0xaaaa && (organisation === 0 || organisation === 0xf8)) {
    link.ethertype = half(bytes, at + 6);
    link.at = at + 8;
  } else if (bytes[at] === 6) {
    link.ethertype = ETHERTYPE.ipv4;
    link.at = at + 3;
  }
}

function version(bytes: Uint8Array, at: number, end: number, link: Link): void {
  const four = at < end ? bytes[at]! >>> 4 : 0;
  link.ethertype = four === 4 ? ETHERTYPE.ipv4 : four === 6 ? ETHERTYPE.ipv6 : 0;
  link.at = at;
}

/**
 * BSD's address families, in the byte order of the machine that captured: whichever way round they are small. Some
 * systems have an Ethernet type there, or put the family into the first half (Wireshark's packet-null.c).
 */
function family(bytes: Uint8Array, at: number, network: boolean, link: Link): void {
  const [first, second] = [half(bytes, at), half(bytes, at + 2)];
  let number = first * 0x10000 + second;
  if (!network) {
    const little = swapped(second) * 0x10000 + swapped(first);
    if (little >= 0x10000) number = little < 0x60000 ? little >>> 16 : number;
    else number = (little & 0xff) === 0 && little < 0x600 ? swapped(little) : little;
  }
  link.at = at + 4;
  if (number === 2) link.ethertype = ETHERTYPE.ipv4;
  else if (number === 24 || number === 28 || number === 30) link.ethertype = ETHERTYPE.ipv6;
  else if (!network && number > 1500) link.ethertype = number & 0xffff;
}

const swapped = (word: number): number => ((word & 255) << 8) | (word >>> 8);
