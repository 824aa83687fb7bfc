import torch, psi
from psi.advice.range_torch import range_steps
torch.manual_seed(0)
x = torch.randn(256, 8); y = (x.sum(1) > 0).long()
rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=32, shuffle=True)
net = torch.nn.Linear(8, 2); optimizer = torch.optim.Adam(net.parameters())
psi.suggest_lr(range_steps(net, optimizer, rows, lambda m, b: torch.nn.functional.cross_entropy(m(b[0]), b[1])))
print([p.grad is None for p in net.parameters()])
