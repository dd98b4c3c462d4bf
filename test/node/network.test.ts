import { describe, expect, it } from 'vitest';
import { runShell } from './shell.ts';

// Real network namespaces: `node` with an uplink `eth0`, a pod with its own `eth0`, and further ones of the pod's own.
describe('find_host_interface', () => {
  const scene = (inPod: string, finds = ALONE) => `
    declare -A arg
    for each in router pod nested; do
      unshare -n sleep 60 &
      declare $each=$!
      until ! [[ /proc/$!/ns/net -ef /proc/self/ns/net ]]; do sleep 0.02; done
    done
    trap 'kill $router $pod $nested' EXIT
    mount -t tmpfs none /run
    ip link add eth0 index 40 type veth peer name uplink index 77 netns "$router"
    ip link add vethpod index 41 type veth peer name eth0 index 2 netns "$pod"
    inside() { nsenter -t "$pod" -n ip "$@"; }
    inside addr add 10.9.9.9/24 dev eth0
    ${inPod}
    exec {netns}<"/proc/$pod/ns/net"
    arg[pod_ips]=10.9.9.9
    ${finds}
    ls /run/netns 2>/dev/null || :`;
  const ALONE = 'if find_host_interface; then echo "$host_interface"; else echo refused; fi';
  // As recorders do: each in a shell of its own, which opened the namespace itself.
  const SEVERAL = `
    exec {netns}<&-
    mkfifo /run/alone; exec {alone}<>/run/alone; printf '\\n' >&"$alone"
    recorders=()
    for each in 1 2 3 4 5 6; do
      (exec {netns}<"/proc/$pod/ns/net"; if alone find_host_interface; then echo "$host_interface"; else echo refused; fi) & recorders+=($!)
    done
    wait "\${recorders[@]}"`;
  const found = (inPod: string, finds = ALONE) =>
    runShell(
      ['node/protocol.sh', 'node/network.sh'],
      'export NETNS_NAMES; export -f $(compgen -A function); exec unshare -n -m --propagation private bash -c "$1"',
      [scene(inPod, finds)],
    ).trim();

  it('is the node’s end of the pod’s', () => expect(found('')).toBe('vethpod'));

  it('is found by several recorders at the same time', () =>
    expect(found('', SEVERAL).split('\n')).toEqual(Array(6).fill('vethpod')));

  it.each([
    [
      'whose other end has the index of the node’s own',
      'inside addr flush dev eth0; inside link add evil type veth peer name x index 40 netns "$nested"; inside addr add 10.9.9.9/24 dev evil',
    ],
    [
      'that has the index of the uplink’s other end besides',
      'inside addr flush dev eth0; inside link add evil index 77 type veth peer name x index 40 netns "$nested"; inside addr add 10.9.9.9/24 dev evil',
    ],
    [
      'whose alias says so',
      'inside addr flush dev eth0; inside link add evil type veth peer name x; inside addr add 10.9.9.9/24 dev evil; inside link set evil alias \'"link_netnsid":0,"link_index":40,\'',
    ],
  ])('is not the node’s uplink for a pod with an interface %s', (_, inPod) => {
    expect(found(inPod)).toBe('refused');
  });
});

describe('is_nodes_netns', () => {
  // In a pid namespace of its own, so that the first process is one that may be looked at.
  const NODE = 'unshare --pid --fork --kill-child --mount-proc bash -c';
  // A debug pod that has a network of its own is in another namespace than the node.
  it.each([
    ['the one of the first process, from the node', '/proc/1/ns/net', '', 'yes'],
    ['the one of the first process, from another', '/proc/1/ns/net', 'unshare --net', 'yes'],
    ['ours, which is never the pod that is looked for', '/proc/self/ns/net', 'unshare --net', 'yes'],
    ['one of a pod', '/proc/$pod/ns/net', '', 'no'],
    ['one of a pod, from another', '/proc/$pod/ns/net', 'unshare --net', 'no'],
  ])('%s', (_what, path, enter, answer) => {
    const check = `exec {netns}<"${path}"; is_nodes_netns "$netns" && echo yes || echo no`;
    const script = `
      unshare --net sleep 60 & export pod=$!
      until [[ $(</proc/$pod/comm) == sleep ]]; do sleep 0.01; done
      ${enter} bash -c '${check}'
      kill $pod # It is not the last one, which bash would become.`;
    const said = runShell(['node/protocol.sh', 'node/network.sh'], `export -f is_nodes_netns; ${NODE} "$1"`, [
      script,
    ]);
    expect(said.trim()).toBe(answer);
  });
});
