/** Whether the processes of a job encrypt what they say to each other and to the operator. */
export const ENCRYPTIONS = ['on', 'off'] as const
export type Encryption = (typeof ENCRYPTIONS)[number]
