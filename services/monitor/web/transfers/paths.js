/** The address of transfer `key` = "site/id" in the API; ids are the switch's and may hold anything. */
export function pathOf(key) {
  const cut = key.indexOf("/");
  return `/api/v1/transfers/${encodeURIComponent(key.slice(0, cut))}/${encodeURIComponent(key.slice(cut + 1))}`;
}
