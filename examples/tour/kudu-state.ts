/** The function of kudu-state.yaml. Values of types `bigint` and `decimal` are texts. */

interface Order {
  id: string
  customer: string
  amount: string
  at: number
}
interface Spent {
  orders: number
  cents: number
}
interface Context {
  state: { spent: { get(): Spent | null; set(row: Spent): void } }
  emit(row: Order): void
}

/** Adds up what each customer has spent; the order goes on as it is. */
export function spending(order: Order, { state: { spent }, emit }: Context): void {
  const { orders, cents } = spent.get() ?? { orders: 0, cents: 0 }
  spent.set({ orders: orders + 1, cents: cents + Number(order.amount.replace('.', '')) })
  emit(order)
}
