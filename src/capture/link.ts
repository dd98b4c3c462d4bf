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

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

/** What lies behind the link's header. Written over by the next frame. */
export interface Link {
  /** 0: nothing that is looked into. */
  ethertype: number;
  /** Where it begins. */
  at: number;
}

/** Whether packets of this link type are looked into; of others only number, size and time are known. */
export const isKnownLink = (linkType: number): boolean =>
  [NULL, ETHERNET, RAW_DLT, RAW_BSD, RAW, LOOP, SLL, IPV4, IPV6, SLL2].includes(linkType);

/** Whether the capture was one of several interfaces at once, as tcpdump's `any`. */
export const isCooked = (linkType: number): boolean => linkType === SLL || linkType === SLL2;

/** Finds the network layer: behind the link's own header, VLAN tags, MPLS labels and PPPoE. */
export function openLink(bytes: Uint8Array, at: number, end: number, linkType: number, link: Link): void {
  link.ethertype = 0;
  switch (linkType) {
    case ETHERNET:
      if (end - at >= 14) ether(bytes, at + 12, end, link);
      return;
    case SLL:
      if (end - at >= 16) ether(bytes, at + 14, end, link);
      return;
    case SLL2:
      if (end - at >= 20) {
        ether(bytes, at, end, link);
        // The protocol stands first; what follows a tag would lie behind the header.
        if (link.at === at + 2) link.at = at + 20;
        else if (link.ethertype) tagged(bytes, at, end, link);
      }
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

/** From the place of an Ethernet type on. */
function ether(bytes: Uint8Array, at: number, end: number, link: Link): void {
  let from = at;
  let type = half(bytes, from);
  from += 2;
  // 802.1Q, 802.1ad and its older numbers: four bytes each.
  while ((type === 0x8100 || type === 0x88a8 || type === 0x9100 || type === 0x9200) && from + 4 <= end) {
    type = half(bytes, from + 2);
    from += 4;
  }
  if (type === 0x8847 || type === 0x8848) {
    // MPLS labels, the last one marked (RFC 3032); what is behind says its version itself.
    while (from + 4 <= end && !(bytes[from + 2]! & 1)) from += 4;
    from += 4;
    version(bytes, from, end, link);
    return;
  }
  if (type === 0x8864 && from + 8 <= end) {
    // PPPoE (RFC 2516): six bytes, then the protocol of PPP.
    const protocol = half(bytes, from + 6);
    type = protocol === 0x21 ? ETHERTYPE.ipv4 : protocol === 0x57 ? ETHERTYPE.ipv6 : 0;
    from += 8;
  } else if (type < 0x600 && from + 8 <= end && half(bytes, from) === 0xaaaa && bytes[from + 2] === 3) {
    // 802.3 with SNAP (RFC 1042).
    type = half(bytes, from + 6);
    from += 8;
  }
  link.ethertype = type;
  link.at = from;
}

/** SLL2 whose protocol is a tag: the tag's two halves lie behind the header. */
function tagged(bytes: Uint8Array, at: number, end: number, link: Link): void {
  link.ethertype = 0;
  if (end - at >= 24) ether(bytes, at + 22, end, link);
}

function version(bytes: Uint8Array, at: number, end: number, link: Link): void {
  const four = at < end ? bytes[at]! >>> 4 : 0;
  link.ethertype = four === 4 ? ETHERTYPE.ipv4 : four === 6 ? ETHERTYPE.ipv6 : 0;
  link.at = at;
}

/** BSD's address families, in the byte order of the machine that captured, which shows by where the zeros are. */
function family(bytes: Uint8Array, at: number, network: boolean, link: Link): void {
  const little = !network && bytes[at + 2] === 0 && bytes[at + 3] === 0;
  const number = little ? bytes[at]! | (bytes[at + 1]! << 8) : half(bytes, at + 2);
  link.ethertype = number === 2 ? ETHERTYPE.ipv4 : [24, 28, 30].includes(number) ? ETHERTYPE.ipv6 : 0;
  link.at = at + 4;
}
